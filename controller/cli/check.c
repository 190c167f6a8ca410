#include "controller/cli/check.h"

#include "base/text.h"
#include "controller/cli/reading.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// By the severity that the daemon gives.
static enum check_result result_of(const char *severity)
{
    static const struct {
        const char *severity;
        enum check_result result;
    } table[] = {{"warning", CHECK_WARNING}, {"critical", CHECK_CRITICAL}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(table[i].severity, severity) == 0) {
            return table[i].result;
        }
    }
    return CHECK_UNKNOWN;
}

static int count_target(const json_t *status, const char *target)
{
    int count = 0;
    size_t i;
    json_t *service;
    json_array_foreach(at(status, "services"), i, service)
    {
        count += strcmp(words(service, "target"), target) == 0;
    }
    return count;
}

enum check_result check_status(const json_t *status, char line[CHECK_LINE_MAX])
{
    static const char *const names[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};
    const json_t *problems = at(status, "problems");
    const json_t *worst = json_array_get(problems, 0); // it is the first
    enum check_result result = !json_is_array(problems) ? CHECK_UNKNOWN
                               : worst == NULL          ? CHECK_OK
                                                        : result_of(words(worst, "severity"));
    int services = (int)json_array_size(at(status, "services"));
    int announced = count_target(status, "announce");
    char text[CHECK_LINE_MAX / 2];
    char said[64];
    snprintf(said, sizeof said, "%d of %d services announced", announced, services);
    text_printable(text, sizeof text,
                   worst != NULL             ? words(worst, "text")
                   : result == CHECK_UNKNOWN ? "popgated does not say what is wrong"
                                             : said,
                   false);
    // A bar would begin the performance data.
    for (char *bar = text; (bar = strchr(bar, '|')) != NULL;) {
        *bar = '/';
    }
    snprintf(line, CHECK_LINE_MAX,
             "POPGATE %s - %s | announced=%d;;;0;%d withdrawn=%d;;;0;%d sessions=%" PRIu64
             " drifts=%" PRIu64 "c",
             names[result], text, announced, services, count_target(status, "withdraw"), services,
             number(at(status, "bird"), "established"), number(status, "drifts"));
    return result;
}
