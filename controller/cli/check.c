#include "controller/cli/check.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct check {
    enum check_result result;
    char text[CHECK_LINE_MAX / 2]; // what is wrong, worst or first
    size_t services, announced, withdrawn;
};

static const char *words(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static bool is(const json_t *object, const char *key, const char *word)
{
    return strcmp(words(object, key), word) == 0;
}

// What is said is the first of the worst.
__attribute__((format(printf, 3, 4))) static void
find(struct check *check, enum check_result result, const char *format, ...)
{
    if (result <= check->result) {
        return;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(check->text, sizeof check->text, format, args);
    va_end(args);
    check->result = result;
}

static void check_bird(struct check *check, const json_t *status)
{
    const json_t *bird = json_object_get(status, "bird");
    const json_t *link = json_object_get(bird, "link");
    const json_t *include = json_object_get(status, "include");
    if (!is(link, "state", "up")) {
        find(check, CHECK_CRITICAL, "BIRD is %s: %s", words(link, "state"), words(link, "reason"));
    }
    if (json_is_true(json_object_get(bird, "denied"))) {
        find(check, CHECK_CRITICAL, "BIRD refuses our commands");
    }
    if (json_integer_value(json_object_get(bird, "established")) <
        json_integer_value(json_object_get(bird, "min_sessions"))) {
        find(check, CHECK_CRITICAL, "fewer BGP sessions are established than min_sessions");
    }
    if (is(include, "state", "refused") || is(include, "state", "not-included") ||
        is(include, "state", "by-hand")) {
        find(check, CHECK_WARNING, "the include file is not loaded (%s) %s",
             words(include, "state"), words(include, "message"));
    }
    if (words(status, "ledger_trouble")[0] != '\0') {
        find(check, CHECK_WARNING, "%s", words(status, "ledger_trouble"));
    }
    if (words(status, "prober_trouble")[0] != '\0') {
        find(check, CHECK_WARNING, "popgated can't see: %s", words(status, "prober_trouble"));
    }
}

static void check_conditions(struct check *check, const json_t *service)
{
    static const char *const bad[] = {"leak", "hidden", "short", "late"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_int_t count =
            json_integer_value(json_object_get(json_object_get(service, "conditions"), bad[i]));
        if (count > 0) {
            find(check, CHECK_CRITICAL, "%s: %d prefixes are %s", words(service, "name"),
                 (int)count, bad[i]);
        }
    }
}

static void check_service(struct check *check, const json_t *service)
{
    const json_t *intent = json_object_get(service, "intent");
    const char *name = words(service, "name");
    bool held = !is(intent, "kind", "auto");
    check->services++;
    check->announced += is(service, "target", "announce");
    check->withdrawn += is(service, "target", "withdraw");
    if (is(service, "target", "withdraw") && !held) {
        find(check, CHECK_CRITICAL, "%s is withdrawn: %s", name, words(service, "why"));
    } else if (held) {
        find(check, CHECK_WARNING, "%s: intent %s by %s: %s", name, words(intent, "kind"),
             words(intent, "by"), words(intent, "reason"));
    } else if (is(service, "target", "depreference")) {
        find(check, CHECK_WARNING, "%s is depreferenced: %s", name, words(service, "why"));
    } else if (words(json_object_get(service, "gate"), "held_by")[0] != '\0') {
        find(check, CHECK_WARNING, "%s: %s", name, words(service, "why"));
    }
    check_conditions(check, service);
}

enum check_result check_status(const json_t *status, char line[CHECK_LINE_MAX])
{
    static const char *const names[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};
    struct check check = {.result = CHECK_OK};
    char text[sizeof check.text];
    size_t i;
    json_t *service;
    check_bird(&check, status);
    json_array_foreach(json_object_get(status, "services"), i, service)
    {
        check_service(&check, service);
    }
    if (check.result == CHECK_OK) {
        snprintf(check.text, sizeof check.text, "%zu of %zu services announced", check.announced,
                 check.services);
    }
    text_printable(text, sizeof text, check.text, false);
    // A bar would begin the performance data.
    for (char *bar = text; (bar = strchr(bar, '|')) != NULL;) {
        *bar = '/';
    }
    snprintf(
        line, CHECK_LINE_MAX,
        "POPGATE %s - %s | announced=%zu;;;0;%zu withdrawn=%zu;;;0;%zu sessions=%d drifts=%dc",
        names[check.result], text, check.announced, check.services, check.withdrawn, check.services,
        (int)json_integer_value(json_object_get(json_object_get(status, "bird"), "established")),
        (int)json_integer_value(json_object_get(status, "drifts")));
    return check.result;
}
