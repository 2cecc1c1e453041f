/*
 * An output plugin that logs its flushes, and misbehaves on request.
 *
 * Properties: `answers` the answer of each flush (digits, the last one repeats), `stack` the bytes
 * of stack a flush uses, `meet` how many flushes wait for each other, `init` the answer of Init.
 * Macros: the mistakes, see below.
 */

#define _GNU_SOURCE
#include <alloca.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define INFO 3

struct definition {
    int type, proxy, flags;
    char *name, *description;
    int event_type;
};
struct context {
    void *remote_context;
    void *proxy;
};
struct output_plugin {
    char *name;
    void **api;
    void *o_ins;
    struct context *context;
};
struct instance {
    struct output_plugin *plugin;
    char name[64];
    const char *answers;
    size_t stack;
    int meet, inside, flushes;
    pthread_mutex_t mutex;
    pthread_cond_t met;
};

static void say(const char *name, const char *format, ...)
{
    void (*print)(int, const char *, int, const char *, ...) = dlsym(RTLD_DEFAULT, "flb_log_print");
    char text[512];
    int start = snprintf(text, sizeof text, "[%s] ", name);
    va_list args;

    va_start(args, format);
    vsnprintf(text + start, sizeof text - start, format, args);
    va_end(args);
#ifdef TEXT_AS_FORMAT
    print(INFO, __FILE__, __LINE__, text);
#else
    print(INFO, __FILE__, __LINE__, "%s", text);
#endif
}

int FLBPluginRegister(struct definition *def)
{
    def->type = 2;
    def->proxy = 11;
#ifndef FLAGS_UNSET
    def->flags = 0;
#endif
    def->name = "probe";
#ifndef DESCRIPTION_UNSET
    def->description = "logs its flushes";
#endif
#ifdef EVENT_TYPE
    def->event_type = 1;
#endif
    return 0;
}

int FLBPluginInit(struct output_plugin *plugin)
{
    const char *(*property)(const char *, void *) = plugin->api[0];
    const char *(*output_name)(void *) = dlsym(RTLD_DEFAULT, "flb_output_name");
    struct instance *self = calloc(1, sizeof *self);
    const char *value;

    self->plugin = plugin;
    snprintf(self->name, sizeof self->name, "%s", output_name(plugin->o_ins));
    pthread_mutex_init(&self->mutex, NULL);
    pthread_cond_init(&self->met, NULL);
#ifdef CALL_SECOND_API_POINTER
    ((void *(*)(void)) plugin->api[1])();
#endif
    self->answers = property("ANSWERS", plugin->o_ins);
    value = property("stack", plugin->o_ins);
    self->stack = value ? strtoul(value, NULL, 10) : 0;
    value = property("meet", plugin->o_ins);
    self->meet = value ? atoi(value) : 0;

    plugin->context->remote_context = self;
#ifdef WRITE_PAST_CONTEXT
    plugin->context->proxy = self;
#endif
    value = property("init", plugin->o_ins);
    return value ? atoi(value) : 1;
}

/* Whether as many flushes as `meet` says were inside at once, within ten seconds. */
static int meet(struct instance *self)
{
    struct timespec deadline;
    int failed = 0;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 10;
    pthread_mutex_lock(&self->mutex);
    self->inside++;
    pthread_cond_broadcast(&self->met);
    while (self->inside < self->meet && !failed) {
        failed = pthread_cond_timedwait(&self->met, &self->mutex, &deadline);
    }
    pthread_mutex_unlock(&self->mutex);
    return !failed;
}

int FLBPluginFlushCtx(void *context, const void *data, size_t length, const char *tag)
{
    struct instance *self = context;
    const unsigned char *bytes = data;
    uint64_t hash = 0xcbf29ce484222325u;
    int flush, answer = 1;
    size_t i;

    if (self->stack > 0) {
        memset(alloca(self->stack), 1, self->stack);
    }
    for (i = 0; i < length; i++) {
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    }
    flush = __atomic_fetch_add(&self->flushes, 1, __ATOMIC_SEQ_CST);
    if (self->answers != NULL) {
        size_t last = strlen(self->answers) - 1;
        answer = self->answers[(size_t) flush < last ? (size_t) flush : last] - '0';
    }
    if (self->meet > 0 && !meet(self)) {
        answer = 0;
    }
    say(self->name, "flush tag=%s hash=%016llx answer=%d", tag, (unsigned long long) hash, answer);
#ifdef USE_PLUGIN_STRUCT_LATER
    say(self->name, "o_ins is now %p", self->plugin->o_ins);
#endif
    return answer;
}

#ifndef NO_EXIT
int FLBPluginExitCtx(void *context)
{
    free(context);
    return 1;
}
#endif
