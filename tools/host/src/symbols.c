/*
 * The symbols that the fluent-bit executable exports and a plugin looks up with
 * dlsym(RTLD_DEFAULT, ...). They live in a shared object of their own, opened with
 * RTLD_GLOBAL, because an executable would have to be linked with special flags to
 * export them, and every test and benchmark that links the host is such an executable.
 * Each one forwards to a function of the host, which connects itself first.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct host_functions {
    void (*log)(int type, const char *format, const char *text);
    const char *(*name)(const void *o_ins);
    const char *(*get_property)(const char *key, const void *o_ins);
    int (*log_check)(const void *o_ins, int level);
    int (*set_property)(void *o_ins, const char *key, const char *value);
    int (*enable_multi_threading)(void *o_ins, void *config);
    void *(*sched_ctx_get)(void);
    int (*timer_create)(void *sched, int type, int ms, void (*callback)(void *, void *), void *data);
};

static const struct host_functions *host;

void firehose_host_connect(const struct host_functions *functions)
{
    host = functions;
}

void flb_log_print(int type, const char *file, int line, const char *format, ...)
{
    va_list args;
    char *text;
    int length;

    (void) file;
    (void) line;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0) {
        return;
    }
    text = malloc((size_t) length + 1);
    if (text == NULL) {
        return;
    }
    va_start(args, format);
    vsnprintf(text, (size_t) length + 1, format, args);
    va_end(args);

    host->log(type, format, text);
    free(text);
}

const char *flb_output_name(const void *o_ins)
{
    return host->name(o_ins);
}

const char *flb_output_get_property(const char *key, const void *o_ins)
{
    return host->get_property(key, o_ins);
}

int flb_output_set_property(void *o_ins, const char *key, const char *value)
{
    return host->set_property(o_ins, key, value);
}

int flb_output_enable_multi_threading(void *o_ins, void *config)
{
    return host->enable_multi_threading(o_ins, config);
}

void *flb_sched_ctx_get(void)
{
    return host->sched_ctx_get();
}

int flb_sched_timer_cb_create(void *sched, int type, int ms, void (*callback)(void *, void *),
                              void *data, void **timer)
{
    *timer = NULL;
    return host->timer_create(sched, type, ms, callback, data);
}

#ifdef OUTPUT_LOG_CHECK
/* Hosts from 2.0 on; a plugin may tell a 1.9 host by its absence. */
int flb_output_log_check(const void *o_ins, int level)
{
    return host->log_check(o_ins, level);
}
#endif
