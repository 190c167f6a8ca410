// What popgate.conf says in the simulation: a configuration drawn at random, and what its operator
// later makes of it. Services and probes have names by number, so that whoever keeps books of them
// keeps them by number too, whatever becomes of the configuration.
#pragma once

#include "controller/config/config.h"
#include "tests/sim/dice.h"

#include <limits.h>

#define SCENE_PROBES   24
#define SCENE_SERVICES 40
#define SCENE_NAMES    64 // names that services may ever have: s0 ... s63
#define SCENE_PLOTS    48 // a service's addresses: two of IPv4 and one of IPv6, some of them in use
#define PLOT_PREFIXES  3
#define NOBODY         UINT_MAX

struct scene_probe {
    unsigned interval_ms, fast_ms, timeout_ms, rise, fall, crash_grace_ms, unknown_grace_ms;
    unsigned port;  // another one is another question: health begins anew
    unsigned place; // of its target among all plots' addresses, as long as it lives; or NOBODY
};

struct scene_service {
    unsigned name, plot;
    unsigned prefixes;                                 // of its plot: a bit for each
    unsigned first, require_end, any_end, degrade_end; // ranges of probes, one after another
    unsigned depends;                                  // name, or NOBODY
    unsigned hold_down_ms, max_hold_down_ms, grace_ms, adopt_grace_ms;
    bool hold_unknown, keep_on_exit, guarded;
};

struct scene {
    struct scene_probe probes[SCENE_PROBES];
    unsigned probe_count; // the same all along
    struct scene_service services[SCENE_SERVICES];
    unsigned service_count;
    unsigned min_sessions;
    bool manual; // configure = manual
};

enum scene_change {
    SCENE_ADDS,      // a service, or one that was there before
    SCENE_REMOVES,   // a service
    SCENE_RENAMES,   // a service
    SCENE_PREFIX,    // a prefix added or removed, within the families that the service has
    SCENE_FAMILY,    // IPv6 or IPv4 added to a service, or taken from it
    SCENE_REWIRES,   // a service needs other probes
    SCENE_RETIMES,   // a probe's interval, rise, fall ..., and perhaps whom it asks
    SCENE_DAMPING,   // hold_down, grace, on_unknown, on_exit ...
    SCENE_CONFIGURE, // configure = auto or manual
    SCENE_CHANGES,
};

void scene_draw(struct scene *scene, struct dice *dice);

// Changes one thing, if that can be done at all: true, and what is what it was, for people.
bool scene_change(struct scene *scene, struct dice *dice, enum scene_change change, char what[96]);

struct config *scene_config(const struct scene *scene);

// Of s12.
unsigned scene_number(const char *name);

// Prefix k of the plot as text.
void scene_prefix(unsigned plot, unsigned k, char out[PREFIX_TEXT_MAX]);

// Where the probe looks, as popgate.conf has it.
void scene_target(const struct scene_probe *probe, char out[ENDPOINT_TEXT_MAX]);

// The service with that name; NULL if there is none.
const struct scene_service *scene_find(const struct scene *scene, unsigned name);
