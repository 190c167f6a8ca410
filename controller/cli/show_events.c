// The answer of /v1/events.
#include "controller/cli/show_parts.h"

#include <inttypes.h>
#include <string.h>

static void event_line(const struct show *show, const json_t *event)
{
    static const char *const times[][2] = {{"decided_ms", "decided"},
                                           {"acknowledged_ms", "acknowledged by BIRD"},
                                           {"observed_ms", "seen"}};
    char text[SHOW_TEXT_MAX];
    char when[32];
    int used;
    snprintf(when, sizeof when, "%s", words(event, "at"));
    char *letter = strchr(when, 'T');
    if (letter != NULL) {
        *letter = ' ';
    }
    if (words(event, "to")[0] != '\0') {
        used = snprintf(text, sizeof text, "%s: %s to %s (%s): %s", words(event, "service"),
                        words(event, "from"), words(event, "to"), words(event, "cause"),
                        words(event, "text"));
        const char *between = at(event, "decided_ms") != NULL ? "; after the evidence: " : "; ";
        for (size_t i = 0; i < sizeof times / sizeof *times && (size_t)used < sizeof text; i++) {
            const json_t *ms = at(event, times[i][0]);
            if (ms != NULL) {
                used += snprintf(text + used, sizeof text - (size_t)used, "%s%s in %.1f ms",
                                 between, times[i][1], json_number_value(ms));
                between = ", ";
            }
        }
    } else {
        const char *service = words(event, "service");
        snprintf(text, sizeof text, "%s: %s%s%s", words(event, "kind"), service,
                 service[0] != '\0' ? ": " : "", words(event, "text"));
    }
    show_coloured(show, yes(event, "warning") ? MOOD_WARN : MOOD_PLAIN, when, show_columns(when));
    fputs(show->width == SHOW_UNWRAPPED ? " " : "\n    ", show->out);
    show_wrap(show, 4, text);
}

void show_event_lines(const struct show *show, const json_t *events)
{
    size_t i;
    json_t *event;
    json_array_foreach(events, i, event)
    {
        event_line(show, event);
    }
}

void show_events(const struct show *show, const json_t *answer)
{
    if (number(answer, "lost") > 0) {
        show_line(show->out, "(%" PRIu64 " older events are no longer kept)",
                  number(answer, "lost"));
    }
    show_event_lines(show, at(answer, "events"));
}
