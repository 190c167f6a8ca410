// The answer of /v1/status again: its probes, and who needs them.
#include "controller/cli/show_parts.h"

#include <inttypes.h>
#include <string.h>

static bool array_has(const json_t *array, const char *name)
{
    size_t i;
    json_t *item;
    json_array_foreach(array, i, item)
    {
        const char *text = json_string_value(item);
        if (text != NULL && strcmp(text, name) == 0) {
            return true;
        }
    }
    return false;
}

// How the service needs the probe; NULL: it does not.
const char *show_need(const json_t *service, const char *probe)
{
    static const char *const needs[] = {"require", "any", "degrade"};
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
        if (array_has(at(service, needs[i]), probe)) {
            return needs[i];
        }
    }
    return NULL;
}

void show_verdict(const json_t *probe, char *out, size_t size)
{
    const json_t *verdict = at(probe, "verdict");
    char age[AGE_TEXT_MAX];
    if (!json_is_object(verdict)) {
        snprintf(out, size, "no verdict yet");
        return;
    }
    snprintf(out, size, "%s in %.1f ms, %s ago%s%s%s", words(verdict, "kind"),
             json_number_value(at(verdict, "duration_ms")),
             show_age(number(verdict, "age_ms"), age),
             words(verdict, "cause")[0] != '\0' ? ": " : "", words(verdict, "cause"),
             yes(probe, "unsettled") ? " (not settled yet)" : "");
}

static void used_by(const json_t *services, const char *probe, char *out, size_t size)
{
    size_t used = 0;
    size_t i;
    json_t *service;
    snprintf(out, size, "-");
    json_array_foreach(services, i, service)
    {
        if (show_need(service, probe) != NULL && used < size) {
            int more = snprintf(out + used, size - used, "%s%s", used > 0 ? " " : "",
                                words(service, "name"));
            used += more > 0 ? (size_t)more : 0;
        }
    }
}

void show_probes(const struct show *show, const json_t *status)
{
    const json_t *probes = at(status, "probes");
    enum { TYPE_WIDTH = 7, HEALTH_WIDTH = 8 };
    size_t width = show_name_width(probes);
    size_t i;
    json_t *probe;
    show_cell(show->out, "PROBE", width);
    fprintf(show->out, " %-*s %-*s %-*s %s\n", TYPE_WIDTH, "TYPE", HEALTH_WIDTH, "HEALTH",
            SHOW_SINCE_WIDTH, "SINCE", "TARGET AND SERVICES");
    json_array_foreach(probes, i, probe)
    {
        char age[AGE_TEXT_MAX];
        char text[SHOW_TEXT_MAX];
        char users[SHOW_TEXT_MAX / 2];
        const char *health = words(probe, "health");
        show_cell(show->out, words(probe, "name"), width);
        fputc(' ', show->out);
        show_cell(show->out, words(probe, "type"), TYPE_WIDTH);
        fputc(' ', show->out);
        show_coloured(show, show_mood(health), health, HEALTH_WIDTH);
        fputc(' ', show->out);
        show_cell(show->out, show_age(number(probe, "age_ms"), age), SHOW_SINCE_WIDTH);
        fputc(' ', show->out);
        used_by(at(status, "services"), words(probe, "name"), users, sizeof users);
        const char *target = words(probe, "target");
        snprintf(text, sizeof text, "%s for %s", target[0] != '\0' ? target : "-", users);
        show_wrap(show, width + TYPE_WIDTH + HEALTH_WIDTH + SHOW_SINCE_WIDTH + 4, text);
        show_verdict(probe, text, sizeof text);
        fputs("    ", show->out);
        show_wrap(show, 4, text);
        const char *watch = words(probe, "watch");
        if (watch[0] != '\0' && strcmp(watch, "off") != 0) {
            snprintf(text, sizeof text, "crash watch: %s", watch);
            fputs("    ", show->out);
            show_wrap(show, 4, text);
        }
    }
}
