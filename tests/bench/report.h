// What a benchmark says: a table for people, the same as JSON for machines.
//
// The machine may be shared and noisy, so nearly every row stands beside another thing that was
// measured in the same run, in turns with it: the ratio of the medians is what to trust. A goal
// that is not met is said, and is no failure.
#pragma once

#include "tests/lab/bird.h"
#include "tests/lab/lab.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES_MAX 256
#define NS_PER_MS   1000000.0

// One thing, measured again and again; sorted by report_row(). Zero it to begin.
struct samples {
    double values[SAMPLES_MAX];
    size_t count;
};

struct row {
    const char *what;
    const char *unit; // NULL: ms
    struct samples *samples;
    const char *beside;   // what it is compared with; NULL: nothing
    struct samples *peer; // NULL: nothing
    double goal;          // most that the ratio may be, without a peer the median; 0: none
};

struct report {
    const char *json_path;
    json_t *root, *rows, *notes; // the last two are root's
};

static inline void sample(struct samples *samples, double value)
{
    assert(samples->count < SAMPLES_MAX);
    samples->values[samples->count++] = value;
}

static inline void sample_ns(struct samples *samples, uint64_t from_ns, uint64_t to_ns)
{
    sample(samples, ((double)to_ns - (double)from_ns) / NS_PER_MS);
}

static inline int compare_values(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

// The nearest rank: with fewer than 100 samples, p99 is the largest.
static inline double quantile(const struct samples *samples, double part)
{
    double rank = part * (double)samples->count;
    size_t index = (size_t)rank + ((double)(size_t)rank < rank) - (rank > 0);

    assert(samples->count > 0);
    return samples->values[index < samples->count ? index : samples->count - 1];
}

static inline double median(const struct samples *samples)
{
    return quantile(samples, 0.5);
}

// ---- The report

// "2.0.12": the last word of what `bird --version` says.
#define VERSION_MAX 64
static inline const char *bird_version(struct lab_node *node, char text[VERSION_MAX])
{
    (void)lab_run(node, LAB_ARGV(lab_bird_program(), "--version"), text, VERSION_MAX);
    text[strcspn(text, "\n")] = '\0';
    const char *word = strrchr(text, ' ');
    return word != NULL ? word + 1 : text;
}

// Call it once a node exists. Prints what precedes the rows.
static inline struct report report_begin(const char *title, const char *json_path,
                                         struct lab_node *node)
{
    char version_text[VERSION_MAX], date[32];
    struct utsname kernel;
    time_t now = time(NULL);
    struct tm utc;
    struct report report = {
        .json_path = json_path, .root = json_object(), .rows = json_array(), .notes = json_array()};

    const char *version = bird_version(node, version_text);
    uname(&kernel);
    gmtime_r(&now, &utc);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    json_object_set_new(report.root, "title", json_string(title));
    json_object_set_new(report.root, "date", json_string(date));
    json_object_set_new(report.root, "popgate", json_string(POPGATE_VERSION));
    json_object_set_new(report.root, "bird", json_string(version));
    json_object_set_new(report.root, "kernel", json_string(kernel.release));
    json_object_set_new(report.root, "cores", json_integer(cores));
    json_object_set_new(report.root, "rows", report.rows);
    json_object_set_new(report.root, "notes", report.notes);
    printf("\n%s\n"
           "popgate " POPGATE_VERSION ", BIRD %s, Linux %s, %ld cores, %s\n"
           "Trust the ratios, not the milliseconds: what a row is compared with was measured in\n"
           "the same run, in turns with it. A ratio is that of the medians; p99 of fewer than 100\n"
           "tries is the worst of them.\n\n",
           title, version, kernel.release, cores, date);
    printf("%-46s %3s %9s %9s %9s %9s  %-31s %9s %6s %6s  %s\n", "what", "n", "median", "p99",
           "min", "max", "compared with", "its median", "ratio", "goal", "reading");
    fflush(stdout);
    return report;
}

static inline json_t *figures_json(const struct samples *samples)
{
    return json_pack("{s:I, s:f, s:f, s:f, s:f}", "n", (json_int_t)samples->count, "median",
                     median(samples), "p99", quantile(samples, 0.99), "min", quantile(samples, 0),
                     "max", quantile(samples, 1));
}

static inline void row_json(const struct report *report, const struct row *row, double ratio,
                            const char *reading)
{
    json_t *json = figures_json(row->samples);

    json_object_set_new(json, "what", json_string(row->what));
    json_object_set_new(json, "unit", json_string(row->unit != NULL ? row->unit : "ms"));
    if (row->peer != NULL) {
        json_t *peer = figures_json(row->peer);

        json_object_set_new(peer, "what", json_string(row->beside));
        json_object_set_new(json, "compared_with", peer);
        json_object_set_new(json, "ratio", json_real(ratio));
    }
    if (row->goal > 0) {
        json_object_set_new(json, row->peer != NULL ? "goal_ratio" : "goal", json_real(row->goal));
        json_object_set_new(json, "reading", json_string(reading));
    }
    json_array_append_new(report->rows, json);
}

static inline void report_row(const struct report *report, const struct row *row)
{
    char value[32], ratio_text[16] = "", goal[16] = "", peer[16] = "";
    const char *unit = row->unit != NULL ? row->unit : "ms";
    double ratio = 0;

    qsort(row->samples->values, row->samples->count, sizeof(double), compare_values);
    if (row->peer != NULL) {
        qsort(row->peer->values, row->peer->count, sizeof(double), compare_values);
        ratio = median(row->samples) / median(row->peer);
        snprintf(ratio_text, sizeof ratio_text, ratio < 0.1 ? "%.4f" : "%.2f", ratio);
        snprintf(peer, sizeof peer, "%.3f", median(row->peer));
    }
    double judged = row->peer != NULL ? ratio : median(row->samples);
    const char *reading = row->goal <= 0 ? "" : judged <= row->goal ? "met" : "NOT MET";
    if (row->goal > 0) {
        snprintf(goal, sizeof goal, "%.4g", row->goal);
    }
    snprintf(value, sizeof value, "%.3f", median(row->samples));
    printf("%-46s %3zu %9s %9.3f %9.3f %9.3f  %-31s %9s %6s %6s  %s%s%s\n", row->what,
           row->samples->count, value, quantile(row->samples, 0.99), quantile(row->samples, 0),
           quantile(row->samples, 1), row->beside != NULL ? row->beside : "", peer, ratio_text,
           goal, reading, strcmp(unit, "ms") != 0 ? " in " : "",
           strcmp(unit, "ms") != 0 ? unit : "");
    fflush(stdout);
    row_json(report, row, ratio, reading);
}

// Something measured once.
static inline void report_value(const struct report *report, const char *what, const char *unit,
                                double value, double goal)
{
    struct samples once = {.values = {value}, .count = 1};

    report_row(report, &(struct row){.what = what, .unit = unit, .samples = &once, .goal = goal});
}

// What a reader must know besides the figures: settings, causes.
static inline void report_note(const struct report *report, const char *text)
{
    printf("note: %s\n", text);
    json_array_append_new(report->notes, json_string(text));
}

// Writes the JSON.
static inline void report_end(struct report *report)
{
    if (report->json_path != NULL &&
        json_dump_file(report->root, report->json_path, JSON_INDENT(2)) != 0) {
        lab_fail("write %s", report->json_path);
    }
    json_decref(report->root);
}

// The only arguments of a benchmark: --json FILE.
static inline const char *json_path_of(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--json") == 0) {
        return argv[2];
    }
    if (argc != 1) {
        fprintf(stderr, "usage: %s [--json FILE]\n", argv[0]);
        exit(2);
    }
    return NULL;
}
