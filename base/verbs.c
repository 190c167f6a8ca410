#include "base/verbs.h"

#include <assert.h>
#include <string.h>

#define ALWAYS                                                                                     \
    (FIELD_BIT(FIELD_SERVICES) | FIELD_BIT(FIELD_ALL) | FIELD_BIT(FIELD_REASON) |                  \
     FIELD_BIT(FIELD_BY))
#define WEEK_MS UINT64_C(604800000)

const struct field_row field_rows[FIELDS] = {
    [FIELD_SERVICES] = {.name = "services", .kind = FIELD_NAMES},
    [FIELD_ALL] = {.name = "all", .kind = FIELD_FLAG},
    [FIELD_REASON] = {.name = "reason", .kind = FIELD_TEXT, .most = INTENT_REASON_MAX - 1},
    [FIELD_FOR] = {.name = "for", .kind = FIELD_TIME, .not_zero = true},
    [FIELD_GRACE] = {.name = "grace", .kind = FIELD_TIME, .most = WEEK_MS},
    [FIELD_NOW] = {.name = "now", .kind = FIELD_FLAG, .instead_of = FIELD_BIT(FIELD_GRACE)},
    [FIELD_FORCE] = {.name = "force", .kind = FIELD_FLAG},
    // What tells a claim from what the kernel knows, and both from the reason, can't be in it.
    [FIELD_BY] = {.name = "by",
                  .kind = FIELD_TEXT,
                  .most = INTENT_CLAIM_MAX - 1,
                  .without = ",:;()\""},
};

// Only `release` ends an isolation and only `unpin` a pin, though `drain` and `isolate` may always
// take over from a pin, and `isolate` from everything.
const struct verb_row verb_rows[VERBS] = {
    [VERB_DRAIN] = {.name = "drain",
                    .past = "drained",
                    .sets = INTENT_DRAIN,
                    .fields = ALWAYS | FIELD_BIT(FIELD_FOR) | FIELD_BIT(FIELD_GRACE) |
                              FIELD_BIT(FIELD_NOW) | FIELD_BIT(FIELD_FORCE),
                    .hindered = {[INTENT_ISOLATE] = "isolated already; only release ends that"},
                    .guarded = true},
    [VERB_UNDRAIN] = {.name = "undrain",
                      .past = "undrained",
                      .sets = INTENT_AUTO,
                      .fields = ALWAYS,
                      .hindered = {[INTENT_ISOLATE] = "isolated; only release ends that",
                                   [INTENT_PIN] = "pinned; only unpin ends that"},
                      .nothing = "not drained"},
    [VERB_ISOLATE] = {.name = "isolate",
                      .past = "isolated",
                      .sets = INTENT_ISOLATE,
                      .fields = ALWAYS,
                      .at_once = true},
    [VERB_RELEASE] = {.name = "release",
                      .past = "released",
                      .sets = INTENT_AUTO,
                      .fields = ALWAYS,
                      .hindered = {[INTENT_DRAIN] = "drained, not isolated; use undrain",
                                   [INTENT_PIN] = "pinned, not isolated; use unpin"},
                      .nothing = "not isolated"},
    [VERB_PIN] = {.name = "pin",
                  .past = "pinned",
                  .sets = INTENT_PIN,
                  .fields = ALWAYS | FIELD_BIT(FIELD_FOR),
                  .needs = {[FIELD_REASON] = "it overrules the probes",
                            [FIELD_FOR] = "it overrules the probes, so it must end by itself"},
                  .hindered = {[INTENT_DRAIN] = "drained; undrain it before",
                               [INTENT_ISOLATE] = "isolated; only release ends that"}},
    [VERB_UNPIN] = {.name = "unpin",
                    .past = "unpinned",
                    .sets = INTENT_AUTO,
                    .fields = ALWAYS,
                    .hindered = {[INTENT_DRAIN] = "drained, not pinned; use undrain",
                                 [INTENT_ISOLATE] = "isolated; only release ends that"},
                    .nothing = "not pinned"},
};

const char *intent_name(enum intent_kind kind)
{
    return kind == INTENT_AUTO ? "auto" : verb_setting(kind)->name;
}

enum verb verb_named(const char *name)
{
    enum verb verb = 0;
    while (verb < VERBS && strcmp(verb_rows[verb].name, name) != 0) {
        verb++;
    }
    return verb;
}

const struct verb_row *verb_setting(enum intent_kind kind)
{
    const struct verb_row *row = verb_rows;
    assert(kind != INTENT_AUTO);
    while (row->sets != kind) {
        row++;
        assert(row < verb_rows + VERBS);
    }
    return row;
}
