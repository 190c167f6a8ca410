#include "tests/sim/scene.h"

#include "controller/config/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALL_PREFIXES ((1U << PLOT_PREFIXES) - 1)
#define IPV6_PREFIX  (1U << (PLOT_PREFIXES - 1))

static unsigned upto(struct dice *dice, unsigned low, unsigned high)
{
    return low + (unsigned)dice_below(dice, high - low + 1);
}

unsigned scene_number(const char *name)
{
    return (unsigned)strtoul(name + 1, NULL, 10);
}

void scene_prefix(unsigned plot, unsigned k, char out[PREFIX_TEXT_MAX])
{
    static const char *const forms[PLOT_PREFIXES] = {"192.0.2.%u/32", "198.51.100.%u/32",
                                                     "2001:db8::%x/128"};
    // NOLINTNEXTLINE(clang-diagnostic-format-nonliteral): all three take one unsigned
    snprintf(out, PREFIX_TEXT_MAX, forms[k], plot + 1);
}

const struct scene_service *scene_find(const struct scene *scene, unsigned name)
{
    for (unsigned i = 0; i < scene->service_count; i++) {
        if (scene->services[i].name == name) {
            return &scene->services[i];
        }
    }
    return NULL;
}

// ---- At random

static struct scene_probe draw_probe(struct dice *dice)
{
    struct scene_probe probe = {
        .interval_ms = dice_chance(dice, 70) ? 1000 : upto(dice, 4, 20) * 100,
        .fast_ms = 100,
        .timeout_ms = upto(dice, 2, 4) * 100,
        .rise = upto(dice, 1, 3),
        .fall = upto(dice, 1, 4),
        .crash_grace_ms = dice_chance(dice, 60) ? 0 : upto(dice, 1, 8) * 100,
        .unknown_grace_ms = upto(dice, 2, 6) * 1000,
        .port = upto(dice, 53, 54),
        .place = NOBODY};
    return probe;
}

static unsigned end_of(const struct scene *scene, unsigned begin, unsigned count)
{
    return begin + count < scene->probe_count ? begin + count : scene->probe_count;
}

static void draw_needs(const struct scene *scene, struct dice *dice, struct scene_service *service)
{
    service->first = upto(dice, 0, scene->probe_count - 1);
    service->require_end = end_of(scene, service->first, upto(dice, 1, 2));
    service->any_end = end_of(scene, service->require_end, upto(dice, 0, 2));
    service->degrade_end = end_of(scene, service->any_end, upto(dice, 0, 1));
}

static void draw_damping(struct dice *dice, struct scene_service *service)
{
    service->hold_down_ms = dice_chance(dice, 15) ? 0 : upto(dice, 1, 3) * 1000;
    service->max_hold_down_ms = dice_chance(dice, 10) ? service->hold_down_ms : 16000;
    service->grace_ms = upto(dice, 0, 5) * 1000;
    service->adopt_grace_ms = dice_chance(dice, 20) ? 3000 : 10000;
    service->hold_unknown = dice_chance(dice, 60);
    service->keep_on_exit = dice_chance(dice, 50);
    service->guarded = dice_chance(dice, 30);
}

static unsigned unused_name(const struct scene *scene, struct dice *dice)
{
    unsigned name = upto(dice, 0, SCENE_NAMES - 1);
    while (scene_find(scene, name) != NULL) {
        name = (name + 1) % SCENE_NAMES;
    }
    return name;
}

static bool has_plot(const struct scene *scene, unsigned plot)
{
    bool found = false;
    for (unsigned i = 0; i < scene->service_count; i++) {
        found = found || scene->services[i].plot == plot;
    }
    return found;
}

static unsigned unused_plot(const struct scene *scene, struct dice *dice)
{
    unsigned plot = upto(dice, 0, SCENE_PLOTS - 1);
    while (has_plot(scene, plot)) {
        plot = (plot + 1) % SCENE_PLOTS;
    }
    return plot;
}

static void add_service(struct scene *scene, struct dice *dice)
{
    struct scene_service service = {.name = unused_name(scene, dice),
                                    .plot = unused_plot(scene, dice),
                                    .prefixes = upto(dice, 1, ALL_PREFIXES),
                                    .depends = NOBODY};
    if (scene->service_count > 0 && dice_chance(dice, 30)) {
        service.depends = scene->services[dice_below(dice, scene->service_count)].name;
    }
    draw_needs(scene, dice, &service);
    draw_damping(dice, &service);
    scene->services[scene->service_count++] = service;
}

// Some probes look at an address of the first service whose gate needs them.
static void draw_places(struct scene *scene, struct dice *dice)
{
    for (unsigned i = 0; i < scene->service_count; i++) {
        const struct scene_service *service = &scene->services[i];
        unsigned k = 0;
        while ((service->prefixes & (1U << k)) == 0) {
            k++;
        }
        for (unsigned probe = service->first; probe < service->any_end; probe++) {
            if (scene->probes[probe].place == NOBODY && dice_chance(dice, 60)) {
                scene->probes[probe].place = service->plot * PLOT_PREFIXES + k;
            }
        }
    }
}

void scene_draw(struct scene *scene, struct dice *dice)
{
    bool large = dice_chance(dice, 3);
    bool middling = !large && dice_chance(dice, 15);
    unsigned services = large ? SCENE_SERVICES : middling ? upto(dice, 5, 12) : upto(dice, 1, 4);
    *scene = (struct scene){.probe_count = large ? upto(dice, 12, SCENE_PROBES) : upto(dice, 2, 6),
                            .min_sessions = upto(dice, 1, 2),
                            .manual = dice_chance(dice, 15)};
    for (unsigned i = 0; i < scene->probe_count; i++) {
        scene->probes[i] = draw_probe(dice);
    }
    while (scene->service_count < services) {
        add_service(scene, dice);
    }
    draw_places(scene, dice);
}

// ---- Changes

static void remove_service(struct scene *scene, unsigned index)
{
    scene->service_count--;
    memmove(&scene->services[index], &scene->services[index + 1],
            (scene->service_count - index) * sizeof scene->services[0]);
}

static bool change_prefix(struct scene_service *service, struct dice *dice, bool family)
{
    unsigned ipv4 = service->prefixes & ~IPV6_PREFIX;
    unsigned after = service->prefixes;
    if (!family) {
        after ^= 1U << dice_below(dice, 2); // of the two of IPv4
        family = ipv4 == 0;
        if (family || (after & ~IPV6_PREFIX) == 0) {
            return false;
        }
    } else {
        after ^= ipv4 == 0 || dice_chance(dice, 70) ? IPV6_PREFIX : ALL_PREFIXES & ~IPV6_PREFIX;
        after = ipv4 == 0 && after == 0 ? 1 | IPV6_PREFIX : after;
    }
    if (after == 0 || after == service->prefixes) {
        return false;
    }
    service->prefixes = after;
    return true;
}

static bool change_service(struct scene *scene, struct dice *dice, enum scene_change change,
                           char what[96])
{
    unsigned index = (unsigned)dice_below(dice, scene->service_count);
    struct scene_service *service = &scene->services[index];
    unsigned name = service->name;
    switch (change) {
    case SCENE_REMOVES:
        if (scene->service_count == 1) {
            return false;
        }
        remove_service(scene, index);
        return snprintf(what, 96, "without s%u", name) > 0;
    case SCENE_RENAMES:
        service->name = unused_name(scene, dice);
        return snprintf(what, 96, "s%u is s%u", name, service->name) > 0;
    case SCENE_PREFIX:
    case SCENE_FAMILY:
        return change_prefix(service, dice, change == SCENE_FAMILY) &&
               snprintf(what, 96, "prefixes %x of s%u", service->prefixes, name) > 0;
    case SCENE_REWIRES:
        draw_needs(scene, dice, service);
        return snprintf(what, 96, "s%u needs probes from p%u", name, service->first) > 0;
    default:
        draw_damping(dice, service);
        return snprintf(what, 96, "s%u is damped otherwise", name) > 0;
    }
}

bool scene_change(struct scene *scene, struct dice *dice, enum scene_change change, char what[96])
{
    switch (change) {
    case SCENE_ADDS:
        if (scene->service_count == SCENE_SERVICES) {
            return false;
        }
        add_service(scene, dice);
        return snprintf(what, 96, "with s%u", scene->services[scene->service_count - 1].name) > 0;
    case SCENE_RETIMES: {
        unsigned probe = (unsigned)dice_below(dice, scene->probe_count);
        unsigned place = scene->probes[probe].place;
        scene->probes[probe] = draw_probe(dice);
        scene->probes[probe].place = place;
        return snprintf(what, 96, "p%u is timed otherwise", probe) > 0;
    }
    case SCENE_CONFIGURE:
        scene->manual = !scene->manual;
        return snprintf(what, 96, "configure = %s", scene->manual ? "manual" : "auto") > 0;
    default:
        return change_service(scene, dice, change, what);
    }
}

// ---- As popgate.conf

static void print_range(FILE *out, const char *key, unsigned from, unsigned to)
{
    if (from < to) {
        fprintf(out, "%s =", key);
        for (unsigned i = from; i < to; i++) {
            fprintf(out, " p%u", i);
        }
        fputc('\n', out);
    }
}

void scene_target(const struct scene_probe *probe, char out[ENDPOINT_TEXT_MAX])
{
    char text[PREFIX_TEXT_MAX] = "127.0.0.1";
    if (probe->place != NOBODY) {
        scene_prefix(probe->place / PLOT_PREFIXES, probe->place % PLOT_PREFIXES, text);
        *strchr(text, '/') = '\0';
    }
    bool v6 = strchr(text, ':') != NULL;
    snprintf(out, ENDPOINT_TEXT_MAX, "%s%s%s:%u", v6 ? "[" : "", text, v6 ? "]" : "", probe->port);
}

// A dependency that is gone, or comes after it, is none.
static bool comes_before(const struct scene *scene, unsigned name, unsigned index)
{
    for (unsigned i = 0; i < index; i++) {
        if (scene->services[i].name == name) {
            return true;
        }
    }
    return false;
}

static void print_service(const struct scene *scene, unsigned index, FILE *out)
{
    const struct scene_service *service = &scene->services[index];
    fprintf(out, "[service s%u]\nprefixes =", service->name);
    for (unsigned k = 0; k < PLOT_PREFIXES; k++) {
        char text[PREFIX_TEXT_MAX];
        if ((service->prefixes & (1U << k)) != 0) {
            scene_prefix(service->plot, k, text);
            fprintf(out, " %s", text);
        }
    }
    fputc('\n', out);
    print_range(out, "require", service->first, service->require_end);
    print_range(out, "any", service->require_end, service->any_end);
    print_range(out, "degrade", service->any_end, service->degrade_end);
    if (comes_before(scene, service->depends, index)) {
        fprintf(out, "depends = s%u\n", service->depends);
    }
    fprintf(out,
            "hold_down = %ums\nmax_hold_down = %ums\ngrace = %ums\nadopt_grace = %ums\n"
            "on_unknown = %s\non_exit = %s\nlast_pop_guard = %s\n",
            service->hold_down_ms, service->max_hold_down_ms, service->grace_ms,
            service->adopt_grace_ms, service->hold_unknown ? "hold" : "withdraw",
            service->keep_on_exit ? "keep" : "withdraw", service->guarded ? "on" : "off");
}

static void print_scene(const struct scene *scene, FILE *out)
{
    fprintf(out,
            "[pop]\nid = sim1\nstate_dir = /nowhere\nruntime_dir = /nowhere\n"
            "[bird]\nlocal_as = 64512\nmin_sessions = %u\nconfigure = %s\n",
            scene->min_sessions, scene->manual ? "manual" : "auto");
    for (unsigned i = 0; i < scene->probe_count; i++) {
        const struct scene_probe *probe = &scene->probes[i];
        char target[ENDPOINT_TEXT_MAX];
        scene_target(probe, target);
        fprintf(out,
                "[probe p%u]\ntype = tcp\ntarget = %s\ninterval = %ums\n"
                "fast_interval = %ums\ntimeout = %ums\nrise = %u\nfall = %u\ncrash_grace = %ums\n"
                "unknown_grace = %ums\n",
                i, target, probe->interval_ms, probe->fast_ms, probe->timeout_ms, probe->rise,
                probe->fall, probe->crash_grace_ms, probe->unknown_grace_ms);
    }
    for (unsigned i = 0; i < scene->service_count; i++) {
        print_service(scene, i, out);
    }
}

static void ignore_warnings(void *arg, bool error, const char *line)
{
    (void)arg;
    if (error) {
        fprintf(stderr, "sim: %s\n", line);
    }
}

struct config *scene_config(const struct scene *scene)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (out == NULL) {
        abort();
    }
    print_scene(scene, out);
    fclose(out);
    struct config *config = config_parse("sim.conf", text, ignore_warnings, NULL);
    if (config == NULL) {
        fputs(text, stderr);
        abort();
    }
    free(text);
    return config;
}
