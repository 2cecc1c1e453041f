/*
 * An output plugin that logs what the host does to it, and misbehaves on request.
 *
 * Properties: `ask` lists keys to look up (comma-separated), `answers` the answer of each flush
 * (digits, the last one repeats), `stack` the bytes of stack a flush uses, `meet` how many
 * flushes wait for each other, `init` the answer of Init.
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

#define ERROR 1
#define INFO 3
#define DEBUG 4

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
    void *o_ins;
    struct output_plugin *plugin;
    char name[64];
    const char *answers;
    size_t stack;
    int meet, inside, flushes;
    pthread_mutex_t mutex;
    pthread_cond_t met;
};

static void say(const char *name, int type, const char *format, ...)
{
    void (*print)(int, const char *, int, const char *, ...) = dlsym(RTLD_DEFAULT, "flb_log_print");
    char text[512];
    int start = snprintf(text, sizeof text, "[%s] ", name);
    va_list args;

    va_start(args, format);
    vsnprintf(text + start, sizeof text - start, format, args);
    va_end(args);
#ifdef TEXT_AS_FORMAT
    print(type, __FILE__, __LINE__, text);
#else
    print(type, __FILE__, __LINE__, "%s", text);
#endif
}

static const char *thread_name(void)
{
    static __thread char name[32];
    pthread_getname_np(pthread_self(), name, sizeof name);
    return name;
}

#ifdef HOOKS
int FLBPluginPreRegister(int hot_reloading)
{
    say("hooks", INFO, "pre-register %d", hot_reloading);
    return 0;
}

int FLBPluginOutputPreRun(int hot_reload_enabled)
{
    say("hooks", INFO, "pre-run %d", hot_reload_enabled);
    return 0;
}

void FLBPluginOutputPreExit(int by_hot_reload)
{
    say("hooks", INFO, "pre-exit %d", by_hot_reload);
}

void FLBPluginUnregister(struct definition *def)
{
    say("hooks", INFO, "unregister %s", def->name);
}
#endif

int FLBPluginRegister(struct definition *def)
{
#ifdef REGISTER_FAILS
    return -1;
#endif
    def->type = 2;
    def->proxy = 11;
#ifndef FLAGS_UNSET
    def->flags = 0;
#endif
    def->name = "probe";
#ifndef DESCRIPTION_UNSET
    def->description = "logs what the host does to it";
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
    int (*log_check)(void *, int) = dlsym(RTLD_DEFAULT, "flb_output_log_check");
    struct instance *self = calloc(1, sizeof *self);
    const char *value;
    char *keys, *key, *rest = NULL;

    self->o_ins = plugin->o_ins;
    self->plugin = plugin;
    snprintf(self->name, sizeof self->name, "%s", output_name(self->o_ins));
    pthread_mutex_init(&self->mutex, NULL);
    pthread_cond_init(&self->met, NULL);

    say(self->name, INFO, "init %s", plugin->name);
    if (log_check == NULL) {
        say(self->name, INFO, "no flb_output_log_check");
    }
    else if (log_check(self->o_ins, DEBUG)) {
        say(self->name, DEBUG, "debug is on");
    }
#ifdef CALL_SECOND_API_POINTER
    ((void *(*)(void)) plugin->api[1])();
    say(self->name, INFO, "called the second pointer");
#endif
    value = property("ask", self->o_ins);
    keys = strdup(value ? value : "");
    for (key = strtok_r(keys, ",", &rest); key; key = strtok_r(NULL, ",", &rest)) {
        value = property(key, self->o_ins);
        say(self->name, INFO, "%s=%s", key, value ? value : "(null)");
    }
    free(keys);

    self->answers = property("ANSWERS", self->o_ins);
    value = property("stack", self->o_ins);
    self->stack = value ? strtoul(value, NULL, 10) : 0;
    value = property("meet", self->o_ins);
    self->meet = value ? atoi(value) : 0;

    plugin->context->remote_context = self;
#ifdef WRITE_PAST_CONTEXT
    plugin->context->proxy = self;
#endif
    value = property("init", self->o_ins);
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
        say(self->name, ERROR, "nobody came");
        answer = 0;
    }
    say(self->name, INFO, "flush tag=%s length=%zu hash=%016llx answer=%d thread=%s", tag, length,
        (unsigned long long) hash, answer, thread_name());
#ifdef USE_PLUGIN_STRUCT_LATER
    say(self->name, INFO, "o_ins is now %p", self->plugin->o_ins);
#endif
    return answer;
}

#ifndef NO_EXIT
int FLBPluginExitCtx(void *context)
{
    struct instance *self = context;

    say(self->name, INFO, "exit");
    free(self);
    return 1;
}
#endif
