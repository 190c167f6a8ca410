#include "controller/core/problems.h"

#include "controller/core/explain.h"
#include "controller/core/fate.h"
#include "controller/core/past.h"

#include "base/clock.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define UNSEEN_MS  10000 // what was ordered is seen within a second
#define LACKING_MS 2000

const char *severity_name(enum severity severity)
{
    static const char *const names[] = {"warning", "critical"};
    return names[severity];
}

const char *problem_code_name(enum problem_code code)
{
    static const char *const names[] = {
        [PROBLEM_BIRD] = "bird",
        [PROBLEM_BIRD_ASKING] = "bird-asking",
        [PROBLEM_BIRD_DENIED] = "bird-denied",
        [PROBLEM_ANOTHER_POPGATED] = "another-popgated",
        [PROBLEM_SESSIONS] = "sessions",
        [PROBLEM_SESSIONS_TOO_MANY] = "sessions-too-many",
        [PROBLEM_SESSION] = "session",
        [PROBLEM_SESSION_ABSENT] = "session-absent",
        [PROBLEM_SESSION_RANGE] = "session-range",
        [PROBLEM_INCLUDE_NOT_SAVED] = "include-not-saved",
        [PROBLEM_INCLUDE_REFUSED] = "include-refused",
        [PROBLEM_INCLUDE_NOT_READ] = "include-not-read",
        [PROBLEM_INCLUDE_BY_HAND] = "include-by-hand",
        [PROBLEM_INCLUDE_UNCONFIRMED] = "include-unconfirmed",
        [PROBLEM_LEDGER] = "ledger",
        [PROBLEM_PROBER] = "prober",
        [PROBLEM_RELOAD] = "reload",
        [PROBLEM_CONFIG] = "config",
        [PROBLEM_CONFIG_NOT_KEPT] = "config-not-kept",
        [PROBLEM_RESPONDER] = "responder",
        [PROBLEM_CONTROL] = "control",
        [PROBLEM_STOPPING] = "stopping",
        [PROBLEM_LEDGER_DRAINED] = "ledger-drained",
        [PROBLEM_INTENT] = "intent",
        [PROBLEM_CUT_OFF] = "cut-off",
        [PROBLEM_WITHDRAWN] = "withdrawn",
        [PROBLEM_DEPREFERENCED] = "depreferenced",
        [PROBLEM_HELD] = "held",
        [PROBLEM_UNSEEN] = "unseen",
        [PROBLEM_LEAK] = "leak",
        [PROBLEM_HIDDEN] = "hidden",
        [PROBLEM_SHORT] = "short",
        [PROBLEM_LATE] = "late",
        [PROBLEM_NO_CHANNEL] = "no-channel",
        [PROBLEM_LACKING] = "lacking",
        [PROBLEM_ALTERED] = "altered",
        [PROBLEM_PREPEND_INTERNAL] = "prepend-internal",
        [PROBLEM_DRAIN_SAME] = "drain-same",
        [PROBLEM_DRAIN_BY_FILTER] = "drain-by-filter",
        [PROBLEM_STALE] = "stale",
    };
    return names[code];
}

// One look over everything for the problems of one severity, so that the worst come first without
// sorting.
struct search {
    const struct core *core;
    const struct own_trouble *own;
    uint64_t now_ms;
    enum severity severity;
    size_t service; // being looked at
    struct problem *out;
    size_t max, count;
};

static bool has_room(const struct search *search)
{
    return search->count < search->max;
}

__attribute__((format(printf, 6, 7))) static void found(struct search *search,
                                                        enum severity severity,
                                                        enum problem_code code, uint64_t since_ms,
                                                        const char *advice, const char *format, ...)
{
    if (severity != search->severity) {
        return;
    }
    if (has_room(search)) {
        struct problem *problem = &search->out[search->count];
        *problem = (struct problem){.severity = severity,
                                    .code = problem_code_name(code),
                                    .service = search->service,
                                    .since_ms = since_ms};
        va_list args;
        va_start(args, format);
        vsnprintf(problem->text, sizeof problem->text, format, args);
        va_end(args);
        snprintf(problem->advice, sizeof problem->advice, "%s", advice);
    }
    search->count++;
}

// ---- Of the PoP as a whole

// Both links lead to the same BIRD: one that answers nobody may hang, though what it was told last
// was done. It is not enough that the link comes up again and again.
static void look_at_asking(struct search *search, const char *state)
{
    static const char advice[] = "what it announces is not seen meanwhile";
    const struct core_link *ask = &search->core->links[ORDER_LINK_ASK];
    uint64_t sighted_ms = search->core->sighted_ns / NS_PER_MS;
    uint64_t blind_ms = search->now_ms > sighted_ms ? search->now_ms - sighted_ms : 0;
    bool long_since = core_is_out_of_sight(search->core, search->now_ms);
    if (ask->state != BIRD_LINK_UP) {
        found(search, long_since ? SEVERITY_CRITICAL : SEVERITY_WARNING, PROBLEM_BIRD_ASKING,
              sighted_ms, advice, "BIRD has answered no question for %" PRIu64 " s (%s): %s",
              blind_ms / 1000, state, ask->reason[0] != '\0' ? ask->reason : "not connected yet");
    } else if (long_since) {
        found(search, SEVERITY_CRITICAL, PROBLEM_BIRD_ASKING, sighted_ms, advice,
              "BIRD has answered no question for %" PRIu64 " s", blind_ms / 1000);
    }
}

static void look_at_links(struct search *search)
{
    static const char *const states[] = {
        [BIRD_LINK_DOWN] = "down", [BIRD_LINK_UP] = "up", [BIRD_LINK_SILENT] = "silent"};
    const struct core_link *act = &search->core->links[ORDER_LINK_ACT];
    const struct core_link *ask = &search->core->links[ORDER_LINK_ASK];
    if (act->state != BIRD_LINK_UP) {
        found(search, SEVERITY_CRITICAL, PROBLEM_BIRD, act->since_ns / NS_PER_MS, "",
              "BIRD is %s: %s", states[act->state],
              act->reason[0] != '\0' ? act->reason : "not connected yet");
    } else {
        look_at_asking(search, states[ask->state]);
    }
    if (search->core->denied) {
        found(search, SEVERITY_CRITICAL, PROBLEM_BIRD_DENIED, 0, "is its socket restricted?",
              "BIRD refuses our commands");
    }
}

static void look_at_contest(struct search *search)
{
    const struct contest *contest = &search->core->contest;
    if (contest->state != CONTEST_NONE) {
        found(search, SEVERITY_CRITICAL, PROBLEM_ANOTHER_POPGATED, contest->since_ms,
              "stop one of the two, or give each a BIRD of its own; bird.conf decides whose file "
              "is read",
              "another popgated switches the same protocols (BIRD has its include file, %s): "
              "only what is newly to be withdrawn is switched from here",
              contest->other);
    }
}

// Who named the sessions wants all of them.
static void look_at_named_session(struct search *search, const struct session *session)
{
    if (session->bgp_known && session->bgp.range) {
        found(search, SEVERITY_CRITICAL, PROBLEM_SESSION_RANGE, 0,
              "name protocols that have one neighbor, or leave `sessions` out",
              "%s, which [bird] sessions names, is a range of neighbors and no BGP session",
              session->name);
    } else if (!session->there) {
        found(search, SEVERITY_CRITICAL, PROBLEM_SESSION_ABSENT, session->since_ms,
              "is it called so? birdc show protocols says what there is",
              "BIRD has no BGP session %s, which [bird] sessions names", session->name);
    } else if (!session->established) {
        found(search, SEVERITY_WARNING, PROBLEM_SESSION, session->since_ms, "",
              "BGP session %s, which [bird] sessions names, is not established (%s)", session->name,
              session->says);
    }
}

static void look_at_sessions(struct search *search)
{
    const struct sessions *sessions = &search->core->observed->sessions;
    size_t established = core_established(search->core, search->now_ms);
    uint64_t wanted = search->core->config->bird.min_sessions;
    if (!core_sees(search->core, search->now_ms)) {
        return; // which is said already
    }
    if (established < wanted) {
        found(search, SEVERITY_CRITICAL, PROBLEM_SESSIONS, 0,
              sessions->known && sessions_count(sessions) == 0
                  ? "BIRD has none: where there is to be none, set min_sessions = 0"
                  : "",
              "%zu BGP session%s established, min_sessions is %" PRIu64, established,
              established == 1 ? " is" : "s are", wanted);
    }
    if (sessions->too_many) {
        found(search, SEVERITY_WARNING, PROBLEM_SESSIONS_TOO_MANY, 0,
              "name those that count in [bird] sessions",
              "more BGP sessions than popgate can watch");
    }
    for (size_t i = 0; i < sessions->count && sessions->known; i++) {
        if (sessions->all[i].named) {
            look_at_named_session(search, &sessions->all[i]);
        }
    }
}

static void look_at_saving(struct search *search)
{
    static const char advice[] =
        "until it is written, a restart of BIRD brings up what the old file says";
    const struct include *include = &search->core->include;
    uint64_t saving_ms = include_saving_ms(include, search->now_ms);
    if (include->trouble[0] != '\0') {
        found(search, SEVERITY_WARNING, PROBLEM_INCLUDE_NOT_SAVED, 0, advice, "%s",
              include->trouble);
    } else if (saving_ms >= UNSEEN_MS) {
        found(search, SEVERITY_WARNING, PROBLEM_INCLUDE_NOT_SAVED, search->now_ms - saving_ms,
              advice,
              "the include file has been being written for %" PRIu64 " s: the disk of %s does not "
              "answer",
              saving_ms / 1000, search->core->config->pop.runtime_dir);
    }
}

// That it was ordered, or taken over, is not that it is so: whatever stands between, a disk that
// hangs, a protocol that does not come up, questions that are not answered. What was off at the
// start and is to be so has nothing to be seen.
static bool is_unseen(const struct core *core, size_t index, uint64_t now_ms)
{
    const struct core_service *service = &core->services[index];
    bool to_be_seen = service->transition != 0 || service->decision.target > TARGET_WITHDRAW;
    bool was_seen = service->seen || service->seen_through;
    return to_be_seen && !was_seen && now_ms >= service->decision.since_ms + UNSEEN_MS;
}

// Is anything to be announced that BIRD is not seen to have?
static bool is_missed(const struct core *core, uint64_t now_ms)
{
    const struct observed *observed = core->observed;
    for (size_t i = 0; i < observed->prefix_count && core_sees(core, now_ms); i++) {
        size_t service = observed->prefixes[i].service;
        if (observed->prefixes[i].condition == CONDITION_HIDDEN ||
            (core->services[service].decision.target > TARGET_WITHDRAW &&
             is_unseen(core, service, now_ms))) {
            return true;
        }
    }
    return false;
}

// While it is tried again, too.
static bool is_refused(const struct loader *loader)
{
    bool again = loader->state == LOAD_SAVING || loader->state == LOAD_CHECKING;
    return loader->state == LOAD_REFUSED || (again && loader->message[0] != '\0');
}

// As bad as what it leads to, and said before that.
static void look_at_include(struct search *search)
{
    const struct loader *loader = &search->core->loader;
    enum severity severity =
        is_missed(search->core, search->now_ms) ? SEVERITY_CRITICAL : SEVERITY_WARNING;
    char line[BIRDCONF_LINE_MAX], advice[BIRDCONF_LINE_MAX + 48];
    if (is_refused(loader)) {
        found(search, severity, PROBLEM_INCLUDE_REFUSED, 0, "the former one stays loaded",
              "BIRD refused the include file: %s", loader->message);
    } else if (loader->state == LOAD_NOT_INCLUDED && search->core->config->service_count > 0) {
        snprintf(advice, sizeof advice, "put %s into bird.conf, then birdc configure",
                 birdconf_include_line(search->core->config->pop.runtime_dir, line));
        found(search, severity, PROBLEM_INCLUDE_NOT_READ, 0, advice,
              "BIRD has not read popgate's file");
    } else if (loader->state == LOAD_BY_HAND) {
        found(search, severity, PROBLEM_INCLUDE_BY_HAND, 0, "run birdc configure",
              "the include file is new, and [bird] configure = manual");
    } else if (loader->state == LOAD_UNCONFIRMED) {
        found(search, severity, PROBLEM_INCLUDE_UNCONFIRMED, 0,
              "confirm or undo that one, then run birdc configure",
              "the include file is new, but somebody's configure timeout was not confirmed");
    }
    look_at_saving(search);
}

static void look_at_ourselves(struct search *search)
{
    const struct own_trouble *own = search->own;
    if (own->ledger != NULL) {
        found(search, SEVERITY_WARNING, PROBLEM_LEDGER, 0, "", "%s", own->ledger);
    }
    if (own->prober != NULL) {
        found(search, SEVERITY_WARNING, PROBLEM_PROBER, 0,
              "what its probes say against a service does not count until it can",
              "popgated can't see (%s)", own->prober);
    }
    if (own->reload != NULL) {
        found(search, SEVERITY_WARNING, PROBLEM_RELOAD, 0, "the configuration before is in force",
              "%s", own->reload);
    }
    if (own->config != NULL) {
        found(search, SEVERITY_WARNING, PROBLEM_CONFIG, 0,
              "mend it (popgated --check-config), then popgate reload", "%s", own->config);
    }
    if (own->kept != NULL) {
        found(search, SEVERITY_WARNING, PROBLEM_CONFIG_NOT_KEPT, 0,
              "a start with a broken popgate.conf would use an older one, or none; it is tried "
              "again each second",
              "%s", own->kept);
    }
    if (own->responder != NULL) {
        found(search, SEVERITY_WARNING, PROBLEM_RESPONDER, 0,
              "nothing is answered there; it is tried again each second", "the responder %s",
              own->responder);
    }
    if (own->control != NULL) {
        found(search, SEVERITY_WARNING, PROBLEM_CONTROL, 0,
              "nobody is served there; it is tried again each second", "%s", own->control);
    }
    if (search->core->stopping) {
        found(search, SEVERITY_WARNING, PROBLEM_STOPPING, 0, "", "popgated is stopping");
    }
}

// ---- Of a service

// With why the target is what it is; that takes time to say, so only if anybody is to read it.
static void found_why(struct search *search, enum severity severity, enum problem_code code,
                      uint64_t since_ms, const char *advice, const char *is)
{
    char why[EVENT_TEXT_MAX] = "";
    if (severity == search->severity && has_room(search)) {
        explain_service(search->core, search->service, search->now_ms, why, sizeof why);
    }
    found(search, severity, code, since_ms, advice, "%s%s: %s",
          search->core->config->services[search->service].name, is, why);
}

// Of what was wanted before the boot it is not known, on this clock.
static uint64_t intent_since_ms(const struct search *search, const struct intent *intent)
{
    uint64_t age_ms = intent_age_ms(intent, search->now_ms);
    return age_ms <= search->now_ms ? intent->since_ms : 0;
}

static void look_at_target(struct search *search)
{
    const struct core *core = search->core;
    const struct core_service *service = &core->services[search->service];
    const struct intent *intent = &service->intent;
    uint64_t since_ms = service->decision.since_ms;
    if (past_drained(intent)) {
        found(search, SEVERITY_CRITICAL, PROBLEM_LEDGER_DRAINED, intent_since_ms(search, intent),
              "undrain it when you know that nobody wants it off", "%s is drained: %s",
              core->config->services[search->service].name, intent->reason);
    } else if (intent->kind != INTENT_AUTO) {
        found(search, SEVERITY_WARNING, PROBLEM_INTENT, intent_since_ms(search, intent), "",
              "%s: intent %s by %s%s%s", core->config->services[search->service].name,
              intent_name(intent->kind), intent->by, intent->reason[0] != '\0' ? ": " : "",
              intent->reason);
    } else if (service->decision.cause == CAUSE_CUT_OFF) {
        found_why(
            search, SEVERITY_CRITICAL, PROBLEM_CUT_OFF, service->cut_off.since_ms,
            core->ways[search->service].by_bird
                ? "have its address on lo, or give the kernel that route without BIRD and "
                  "with metric 1: popgated(8), BIRD's configuration"
                : "give that route metric 1, or keep popgate's out of BIRD's kernel protocols "
                  "and then popgate undrain: popgated(8), BIRD's configuration",
            " is withdrawn");
    } else if (service->decision.target == TARGET_WITHDRAW) {
        found_why(search, SEVERITY_CRITICAL, PROBLEM_WITHDRAWN, since_ms, "", " is withdrawn");
    } else if (service->decision.target == TARGET_DEPREFERENCE) {
        found_why(search, SEVERITY_WARNING, PROBLEM_DEPREFERENCED, since_ms, "",
                  " is depreferenced");
    } else if (core->gates[search->service].held_by != GATE_NOBODY) {
        found_why(search, SEVERITY_WARNING, PROBLEM_HELD, 0, "", "");
    }
}

static void look_at_doing(struct search *search)
{
    static const char *const words[] = {"withdrawn", "depreferenced", "announced"};
    const struct core *core = search->core;
    const struct decision *decision = &core->services[search->service].decision;
    if (is_unseen(core, search->service, search->now_ms)) {
        found(search, SEVERITY_CRITICAL, PROBLEM_UNSEEN, decision->since_ms,
              announcer_lacks_protocol(core->announcer, search->service)
                  ? "BIRD has no such protocol: it has not loaded the include file"
                  : "look at popgate explain",
              "%s is to be %s, and was not seen to be for %" PRIu64 " s",
              core->config->services[search->service].name, words[decision->target],
              (search->now_ms - decision->since_ms) / 1000);
    }
}

// A route that BIRD has not read yet is hidden by nothing.
static const char *advice_of_hidden(const struct core *core, size_t service)
{
    const struct loader *loader = &core->loader;
    if (announcer_lacks_protocol(core->announcer, service) || loader->state == LOAD_NOT_INCLUDED) {
        return "BIRD has no such route: it has not loaded the include file";
    }
    if (is_refused(loader) || loader->state == LOAD_BY_HAND || loader->state == LOAD_UNCONFIRMED) {
        return "BIRD has no such route if that is new: it has not loaded the include file";
    }
    return "BIRD exports another route, or none: does the session's export filter accept `proto ~ "
           "\"popgate_*\"`?";
}

static void look_at_prefixes(struct search *search)
{
    static const struct {
        enum condition condition;
        enum problem_code code;
        const char *advice;
    } bad[] = {
        {CONDITION_LEAK, PROBLEM_LEAK,
         "another protocol exports it although it is to be withdrawn: mend the export filter"},
        {CONDITION_HIDDEN, PROBLEM_HIDDEN, NULL},
        {CONDITION_SHORT, PROBLEM_SHORT, "announced on fewer sessions than min_sessions"},
        {CONDITION_LATE, PROBLEM_LATE, "BIRD still exports what the target is not"},
        {CONDITION_NO_CHANNEL, PROBLEM_NO_CHANNEL,
         "a session needs a channel (ipv4, ipv6) of each address family that it is to announce"},
    };
    const struct core *core = search->core;
    const struct observed *observed = core->observed;
    size_t counts[CONDITIONS] = {0};
    for (size_t i = observed->first[search->service]; i < observed->first[search->service + 1];
         i++) {
        struct prefix_view seen = core_view(core, i, search->now_ms);
        counts[core_condition(core, i, &seen, search->now_ms)]++;
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t count = counts[bad[i].condition];
        const char *advice =
            bad[i].advice != NULL ? bad[i].advice : advice_of_hidden(core, search->service);
        if (count > 0) {
            found(search, SEVERITY_CRITICAL, bad[i].code, 0, advice, "%s: %zu prefix%s %s",
                  core->config->services[search->service].name, count,
                  count == 1 ? " is" : "es are", condition_name(bad[i].condition));
        }
    }
}

// Who names sessions wants the prefixes on each of them, though min_sessions are enough to be
// announced. What has just changed is looked up within a second.
static void look_at_lacking(struct search *search)
{
    const struct core *core = search->core;
    const struct observed *observed = core->observed;
    const struct core_service *service = &core->services[search->service];
    size_t count = 0;
    const char *session = NULL;
    if (core->config->bird.session_count == 0 || !service->seen_through ||
        search->now_ms < service->decision.since_ms + LACKING_MS) {
        return;
    }
    for (size_t i = observed->first[search->service]; i < observed->first[search->service + 1];
         i++) {
        struct prefix_view seen = core_view(core, i, search->now_ms);
        bool lacks =
            seen.lacking != NULL && condition_reaches(seen.condition, service->decision.target);
        session = lacks && session == NULL ? seen.lacking : session;
        count += lacks;
    }
    if (count > 0) {
        found(search, SEVERITY_WARNING, PROBLEM_LACKING, 0,
              "does its export filter accept `proto ~ \"popgate_*\"`?",
              "%s: %zu prefix%s not exported on BGP session %s, which [bird] sessions names",
              core->config->services[search->service].name, count, count == 1 ? " is" : "es are",
              session);
    }
}

// What neighbours make of the routes is not seen; what their kind of session makes of them is
// known.
static void look_at_fate(struct search *search, bool drained, enum fate fate,
                         enum problem_code code, const char *text, const char *advice)
{
    const struct service_conf *service = &search->core->config->services[search->service];
    const struct sessions *sessions = &search->core->observed->sessions;
    for (size_t i = 0; i < sessions->count; i++) {
        const struct session *session = &sessions->all[i];
        if (session_is_one(session) && fate_of(service, session, drained) == fate) {
            found(search, SEVERITY_WARNING, code, 0, advice, "%s: %s (BGP session %s)",
                  service->name, text, session->name);
            return;
        }
    }
}

static void look_at_fates(struct search *search)
{
    const struct core_service *service = &search->core->services[search->service];
    if (search->core->config->services[search->service].primary.prepend > 0) {
        look_at_fate(search, false, FATE_DROPPED, PROBLEM_PREPEND_INTERNAL,
                     "prepend puts our own AS into the path, and an internal neighbour drops such "
                     "a route",
                     "give internal neighbours a service of its own, or local_pref instead");
    } else {
        look_at_fate(search, true, FATE_DROPPED, PROBLEM_PREPEND_INTERNAL,
                     "drain_prepend puts our own AS into the path, and an internal neighbour drops "
                     "such a route: there the drain withdraws",
                     "use drain_local_pref instead");
    }
    look_at_fate(
        search, true, FATE_SAME, PROBLEM_DRAIN_SAME,
        "a drain changes nothing that an external neighbour is sent, only drain_local_pref",
        "use drain_communities or drain_prepend");
    if (service->decision.target == TARGET_DEPREFERENCE) {
        look_at_fate(search, true, FATE_BY_FILTER, PROBLEM_DRAIN_BY_FILTER,
                     "the drain changes the MED only, which an external neighbour is sent only if "
                     "the export filter sets it",
                     "if defined(bgp_med) then bgp_med = bgp_med; in that filter, or "
                     "drain_communities");
    }
}

// A route that lacks what makes it a drain drains nobody; one that only announces does so all the
// same.
static void look_at_attributes(struct search *search)
{
    const struct core *core = search->core;
    const struct observed *observed = core->observed;
    enum target target = core->services[search->service].decision.target;
    bool drains = target == TARGET_DEPREFERENCE;
    for (size_t i = observed->first[search->service]; i < observed->first[search->service + 1];
         i++) {
        struct prefix_view seen = core_view(core, i, search->now_ms);
        if (core_condition(core, i, &seen, search->now_ms) != CONDITION_ALTERED ||
            seen.altered == 0) {
            continue;
        }
        char prefix[PREFIX_TEXT_MAX];
        char lacks[CARRIED_TEXT_MAX];
        found(search, drains ? SEVERITY_CRITICAL : SEVERITY_WARNING, PROBLEM_ALTERED, 0,
              drains ? "mend the session's export filter: as it is, this drains nobody there"
                     : "mend the session's export filter, or take it out of popgate.conf",
              "%s is altered: %s is exported on %s without %s",
              core->config->services[search->service].name,
              prefix_text(observed->prefixes[i].prefix, prefix), seen.altered_session,
              observed_lacks(observed, i, target, &seen, lacks));
        return; // one tells enough
    }
}

// What BIRD said once says nothing for ever.
static void look_at_age(struct search *search)
{
    const struct observed *observed = search->core->observed;
    if (core_sees(search->core, search->now_ms) && observed_is_stale(observed, search->service)) {
        found(search, SEVERITY_WARNING, PROBLEM_STALE, 0, "look at popgate explain",
              "%s: what BIRD exports of it was not looked up for more than %" PRIu64 " s",
              search->core->config->services[search->service].name,
              observed_good_for_ms(observed) / 1000);
    }
}

static void look_at_service(struct search *search, size_t service)
{
    search->service = service;
    look_at_target(search);
    if (search->severity == SEVERITY_CRITICAL) {
        look_at_doing(search);
        look_at_prefixes(search);
    } else {
        look_at_lacking(search);
        look_at_fates(search);
        look_at_age(search);
    }
    look_at_attributes(search);
}

static void look(struct search *search, size_t service)
{
    search->service = PROBLEM_OF_NONE;
    look_at_links(search);
    look_at_contest(search);
    look_at_sessions(search);
    look_at_include(search);
    look_at_ourselves(search);
    if (service != PROBLEM_OF_NONE) {
        look_at_service(search, service);
        return;
    }
    for (size_t i = 0; i < search->core->config->service_count; i++) {
        look_at_service(search, i);
    }
}

size_t problems_find(const struct core *core, const struct own_trouble *own, size_t service,
                     uint64_t now_ms, struct problem out[], size_t max)
{
    struct search search = {.core = core, .own = own, .now_ms = now_ms, .out = out, .max = max};
    search.severity = SEVERITY_CRITICAL;
    look(&search, service);
    search.severity = SEVERITY_WARNING;
    look(&search, service);
    return search.count;
}

void problems_line(const struct core *core, const struct own_trouble *own, uint64_t now_ms,
                   char out[PROBLEMS_LINE_MAX])
{
    struct problem worst;
    char text[PROBLEM_TEXT_MAX + 64];
    size_t count = problems_find(core, own, PROBLEM_OF_NONE, now_ms, &worst, 1);
    size_t announced = 0;
    for (size_t i = 0; i < core->config->service_count; i++) {
        announced +=
            core->services[i].decision.target == TARGET_ANNOUNCE && core_is_seen(core, i, now_ms);
    }
    if (count == 0) {
        snprintf(text, sizeof text, "%zu of %zu services announced", announced,
                 core->config->service_count);
    } else if (count == 1) {
        snprintf(text, sizeof text, "%s: %s", severity_name(worst.severity), worst.text);
    } else {
        snprintf(text, sizeof text, "%s: %s (and %zu more)", severity_name(worst.severity),
                 worst.text, count - 1);
    }
    text_printable(out, PROBLEMS_LINE_MAX, text, false);
}
