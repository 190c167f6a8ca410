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

// Of all services, or of the one that was asked about.
static int count_seen(const json_t *status, const char *target)
{
    const json_t *one = at(status, "service");
    int count = 0;
    size_t i;
    json_t *service;
    if (one != NULL) {
        return strcmp(words(one, "target"), target) == 0 && yes(one, "seen");
    }
    json_array_foreach(at(status, "services"), i, service)
    {
        count += strcmp(words(service, "target"), target) == 0 && yes(service, "seen");
    }
    return count;
}

// As many as fit.
static void say_problems(const json_t *problems, uint64_t count, char *out, size_t size)
{
    size_t length = 0;
    size_t i;
    json_t *problem;
    out[0] = '\0';
    json_array_foreach(problems, i, problem)
    {
        const char *text = words(problem, "text");
        if (i > 0 && length + strlen(text) + 32 > size) {
            break;
        }
        length += (size_t)snprintf(out + length, size - length, "%s%s", i > 0 ? "; " : "", text);
        length = length < size ? length : size - 1;
    }
    if (i < count && i > 0) {
        snprintf(out + length, size - length, " (and %" PRIu64 " more)", count - i);
    }
}

enum check_result check_status(const json_t *status, char line[CHECK_LINE_MAX])
{
    static const char *const names[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};
    const json_t *problems = at(status, "problems");
    const json_t *worst = json_array_get(problems, 0); // it is the first
    enum check_result result = !json_is_array(problems) ? CHECK_UNKNOWN
                               : worst == NULL          ? CHECK_OK
                                                        : result_of(words(worst, "severity"));
    int services = at(status, "service") != NULL ? 1 : (int)json_array_size(at(status, "services"));
    int announced = count_seen(status, "announce");
    char text[CHECK_LINE_MAX / 2];
    char wrong[CHECK_LINE_MAX / 2];
    char said[64];
    snprintf(said, sizeof said, "%d of %d services announced", announced, services);
    say_problems(problems, number(status, "problem_count"), wrong, sizeof wrong);
    text_printable(text, sizeof text,
                   worst != NULL             ? wrong
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
             names[result], text, announced, services, count_seen(status, "withdraw"), services,
             number(at(status, "bird"), "established"), number(status, "drifts"));
    return result;
}
