#include "controller/daemon/restarts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add(struct restarts *restarts, uint64_t end_ms)
{
    if (restarts->count == RESTARTS_QUICK) {
        memmove(restarts->ends_ms, restarts->ends_ms + 1,
                (RESTARTS_QUICK - 1) * sizeof restarts->ends_ms[0]);
        restarts->count--;
    }
    restarts->ends_ms[restarts->count++] = end_ms;
}

bool restarts_ended(struct restarts *restarts, uint64_t now_ms)
{
    if (restarts->count > 0 &&
        now_ms - restarts->ends_ms[restarts->count - 1] >= RESTARTS_CALM_MS) {
        *restarts = (struct restarts){.count = 0};
    }
    add(restarts, now_ms);
    restarts->slow = restarts->slow || (restarts->count == RESTARTS_QUICK &&
                                        now_ms - restarts->ends_ms[0] < RESTARTS_WITHIN_MS);
    return restarts->slow;
}

void restarts_text(const struct restarts *restarts, char out[RESTARTS_TEXT_MAX])
{
    size_t length =
        (size_t)snprintf(out, RESTARTS_TEXT_MAX, "%s", restarts->slow ? "slow" : "quick");
    for (size_t i = 0; i < restarts->count; i++) {
        length += (size_t)snprintf(out + length, RESTARTS_TEXT_MAX - length, " %" PRIu64,
                                   restarts->ends_ms[i]);
    }
    snprintf(out + length, RESTARTS_TEXT_MAX - length, "\n");
}

void restarts_parse(const char *text, uint64_t now_ms, struct restarts *out)
{
    uint64_t former_ms = 0;
    const char *at = strchr(text, ' ');
    *out = (struct restarts){.slow = strncmp(text, "slow ", 5) == 0};
    while (at != NULL && out->count < RESTARTS_QUICK) {
        char *end;
        uint64_t end_ms = strtoull(at, &end, 10);
        if (end == at || end_ms < former_ms || end_ms > now_ms) {
            *out = (struct restarts){.count = 0};
            return;
        }
        former_ms = end_ms;
        out->ends_ms[out->count++] = end_ms;
        at = *end == ' ' ? end : NULL;
    }
    out->slow = out->slow && out->count > 0;
}
