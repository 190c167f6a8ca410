// What comes from BIRD: the links to it, its answers to our orders, its log.
#include "controller/core/inside.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DRIFTS_LOGGED 20 // within a second

static void link_event(struct core *core, enum order_link link, uint64_t now_ns)
{
    const struct core_link *it = &core->links[link];
    if (link != ORDER_LINK_ACT) {
        return; // both go to the same BIRD: one line is enough
    }
    if (it->state == BIRD_LINK_UP) {
        events_add(core->events, EVENT_BIRD, NULL, now_ns, "BIRD %u.%u.%u answers",
                   it->version.major, it->version.minor, it->version.patch);
    } else {
        events_add(core->events, EVENT_BIRD, NULL, now_ns, "%s", it->reason)->warning = true;
    }
}

void core_link(struct core *core, enum order_link link, enum bird_link state, const char *reason,
               const struct bird_version *version, uint64_t now_ns)
{
    assert(link <= ORDER_LINK_ASK && state <= BIRD_LINK_SILENT);
    struct core_link *it = &core->links[link];
    bool was_down = it->state == BIRD_LINK_DOWN;
    bool is_down = state == BIRD_LINK_DOWN;
    bool news = it->state != state || strcmp(it->reason, reason) != 0;
    it->state = state;
    it->since_ns = now_ns;
    snprintf(it->reason, sizeof it->reason, "%s", reason);
    if (version != NULL) {
        it->version = *version;
    }
    if (news) {
        link_event(core, link, now_ns);
    }
    if (link == ORDER_LINK_ACT && was_down != is_down) {
        announcer_link(core->announcer, !is_down);
        core->denied = false;
    } else if (link == ORDER_LINK_ASK && was_down != is_down) {
        observed_forget(core->observed);
        loader_link(&core->loader);
        core_contest_news(core, contest_link(&core->contest), now_ns);
        core_look_forget(core);
    }
    core_want_snapshot(core);
    core_flush(core, now_ns);
}

static void drift(struct core *core, const char *protocol, bool up, uint64_t now_ns)
{
    if (!core->announcer->snapshot_taken) {
        return; // how BIRD came up, not what somebody did
    }
    unsigned *round = announcer_round(core->announcer, protocol); // NULL of a stray
    if (round != NULL && core->announcer->unanswered == 0) {      // else it may be as it was before
        core_contest_news(core, contest_drift(&core->contest, round, ms_of(now_ns)), now_ns);
    }
    if (core->contest.state != CONTEST_NONE) {
        return; // told already
    }
    core->drifts++;
    include_write_again(&core->include); // it may have come from a file put in place of ours
    if (ms_of(now_ns) - core->looking.drift_began_ms >= SNAPSHOT_MS) {
        core->looking.drift_began_ms = ms_of(now_ns);
        core->looking.drift_logged = core->looking.drift_rounds = 0;
    }
    if (core->looking.drift_logged++ < DRIFTS_LOGGED) {
        events_add(core->events, EVENT_DRIFT, NULL, now_ns,
                   "%s was switched %s, not by popgate; switching it back%s", protocol,
                   up ? "on" : "off",
                   core->looking.drift_logged == DRIFTS_LOGGED
                       ? "; more of it within this second is repaired and counted, but not listed"
                       : "")
            ->warning = true;
    }
}

static void protocol_row(struct core *core, const struct bird_line *line, uint64_t now_ns)
{
    struct bird_protocol row;
    if (!bird_parse_protocol(line, &row)) {
        return;
    }
    observed_row(core->observed, &row);
    if (announcer_row(core->announcer, row.name, row.up)) {
        drift(core, row.name, row.up, now_ns);
    }
}

static void look_row(struct core *core, uint64_t token, const struct bird_line *line,
                     uint64_t now_ns)
{
    struct bird_protocol row;
    if (bird_parse_protocol(line, &row) &&
        announcer_look_row(core->announcer, row.name, row.up, order_b(token))) {
        drift(core, row.name, row.up, now_ns);
    }
}

static void revision_line(struct core *core, const struct bird_line *line)
{
    char text[64];
    static const char ours[] = NAMES_DESCRIPTION;
    if (bird_parse_description(line, text, sizeof text) &&
        strncmp(text, ours, sizeof ours - 1) == 0) {
        snprintf(core->revision, sizeof core->revision, "%.*s", (int)sizeof core->revision - 1,
                 text + sizeof ours - 1);
    }
}

static bool is_ours(const struct core *core, uint64_t token)
{
    return token >> GENERATION_SHIFT == generation_of(core) >> GENERATION_SHIFT;
}

void core_line(struct core *core, uint64_t token, const struct bird_line *line, uint64_t now_ns)
{
    if (!is_ours(core, token)) {
        return; // the answer to an order from before a reload
    }
    switch (order_kind(token)) {
    case ORDER_ENABLE:
    case ORDER_DISABLE:
        announcer_reply_line(core->announcer, line->code, line->text);
        break;
    case ORDER_PROTOCOLS:
        protocol_row(core, line, now_ns);
        break;
    case ORDER_LOOK:
        look_row(core, token, line, now_ns);
        break;
    case ORDER_REVISION:
        revision_line(core, line);
        break;
    case ORDER_PIPE:
        core->looking.pipes_read = bird_imported(core->looking.pipes_read, line);
        break;
    case ORDER_ROUTE:
        observed_line(core->observed, token, line);
        break;
    case ORDER_SESSION:
    case ORDER_BFD:
        sessions_line(&core->observed->sessions, token, line);
        break;
    case ORDER_CHECK:
    case ORDER_UNDER_WAY:
    case ORDER_CONFIGURE:
        loader_reply_line(&core->loader, order_kind(token), line);
        break;
    case ORDER_PEERS:
    case ORDER_PATHS:
        if (core->guard != NULL) {
            guard_line(core->guard, token, line);
        }
        break;
    case ORDER_KINDS:
        break;
    }
}

// BIRD has said yes to everything that this transition asked for.
static void note_acknowledged(struct core *core, size_t index, uint64_t now_ns)
{
    struct event *event = events_get(core->events, core->services[index].transition);
    if (event != NULL && event->acknowledged_ns == 0 && announcer_settled(core->announcer, index)) {
        event->acknowledged_ns = now_ns;
        observed_look(core->observed, index, LOOK_CHANGED);
    }
}

static void note_refusal(struct core *core, bool refused, unsigned code, const char *text,
                         uint64_t now_ns)
{
    if (refused && !core->denied) {
        events_add(core->events, EVENT_TROUBLE, NULL, now_ns,
                   "BIRD refuses to switch protocols, trying again every second: %04u %s", code,
                   text)
            ->warning = true;
    } else if (!refused && core->denied) {
        events_add(core->events, EVENT_TROUBLE, NULL, now_ns, "BIRD switches protocols again");
    }
    core->denied = refused;
}

static void switch_end(struct core *core, uint64_t token, unsigned code, const char *text,
                       bool complete, uint64_t now_ns)
{
    enum bird_outcome outcome = bird_switch_outcome(code, text);
    if (!complete) {
        return; // the link went, which the announcer is told as well
    }
    announcer_reply_end(core->announcer, token, outcome);
    bool refused = outcome != BIRD_OK && outcome != BIRD_NO_PROTOCOL;
    if (outcome != BIRD_NO_PROTOCOL) { // else BIRD did not get as far as to refuse
        note_refusal(core, refused, code, text, now_ns);
    }
    if (refused) {
        return; // the snapshot in its turn sees what is still to be done
    }
    size_t count = core->config->service_count;
    size_t service = order_a(token);
    if (service >= count && service < core->announcer->service_count) {
        return; // it is retired: nobody waits for it
    }
    bool one = service < count;
    for (size_t i = one ? service : 0; i < (one ? service + 1 : count); i++) {
        note_acknowledged(core, i, now_ns);
    }
    core_look_soon(core, one ? service : SIZE_MAX, now_ns);
}

static void look_end(struct core *core, uint64_t token, bool complete, bool cut, uint64_t now_ns)
{
    bool ours = order_a(token) >= core->config->service_count;
    core_look_ended(core, ours, now_ns);
    if (cut && !ours) { // which is looked at again soon anyway
        core_look_cut(core, now_ns);
    }
    if (complete && !ours) {
        announcer_look_end(core->announcer, order_a(token));
        note_acknowledged(core, order_a(token), now_ns);
    }
}

static void condition_event(struct core *core, size_t prefix, uint64_t now_ns)
{
    const struct seen_prefix *it = &core->observed->prefixes[prefix];
    enum target target = core->services[it->service].decision.target;
    struct prefix_view view = observed_view(core->observed, prefix, target);
    char text[PREFIX_TEXT_MAX];
    char lacks[CARRIED_TEXT_MAX] = "";
    if (view.altered > 0) {
        observed_lacks(core->observed, prefix, target, &view, lacks);
    }
    struct event *event = events_add(
        core->events, EVENT_OBSERVED, conf_of(core, it->service)->name, now_ns,
        "%s: %s (target %s, exported by popgate on %zu session%s%s%s%s%s%s%s%s%s)",
        prefix_text(it->prefix, text), condition_name(it->condition), target_name(target),
        view.announced, view.announced == 1 ? "" : "s", view.other_name != NULL ? ", from " : "",
        view.other_name != NULL ? view.other_name : "", view.other_name != NULL ? " on " : "",
        view.other_session != NULL ? view.other_session : "", view.altered > 0 ? ", without " : "",
        lacks, view.altered > 0 ? " on " : "", view.altered > 0 ? view.altered_session : "");
    event->warning = it->condition != CONDITION_AS_MEANT;
}

static void look_again(struct core *core, size_t index, uint64_t now_ns)
{
    struct core_service *service = &core->services[index];
    if (service->look_again_ms == 0) {
        uint64_t pause_ms =
            service->look_pause_ms < LOOK_AGAIN_MS ? LOOK_AGAIN_MS : service->look_pause_ms;
        service->look_again_ms = ms_of(now_ns) + pause_ms;
        service->look_pause_ms = 2 * pause_ms < LOOK_AGAIN_MAX ? 2 * pause_ms : LOOK_AGAIN_MAX;
        core_set_deadline(core, index);
    }
}

// The service is as its target says on every session; observed now, if that is the first time.
static void note_seen(struct core *core, size_t index, uint64_t now_ns)
{
    struct core_service *service = &core->services[index];
    service->seen = true;
    service->seen_through = true;
    service->look_again_ms = 0;
    core_set_deadline(core, index);
    struct event *event = events_get(core->events, service->transition);
    if (event != NULL && event->observed_ns == 0) {
        event->observed_ns = now_ns;
    }
}

static void judge(struct core *core, size_t prefix, bool tell, uint64_t now_ns)
{
    size_t index = core->observed->prefixes[prefix].service;
    struct core_service *service = &core->services[index];
    enum target target = service->decision.target;
    bool settled = announcer_settled(core->announcer, index);
    bool reached =
        condition_reaches(observed_view(core->observed, prefix, target).condition, target);
    if (settled && (tell || reached) &&
        observed_step(core->observed, prefix, target, ms_of(now_ns)) && tell) {
        condition_event(core, prefix, now_ns);
    }
    if (!reached) {
        service->seen = false;
    } else if (!service->seen && settled && observed_as_meant(core->observed, index, target)) {
        note_seen(core, index, now_ns);
    }
}

static void look_up_end(struct core *core, uint64_t token, enum look_end end, uint64_t now_ns)
{
    if (!observed_asks(core->observed, token)) {
        return;
    }
    size_t index = observed_service(core->observed, token);
    uint64_t acted = announcer_acted(core->announcer, index);
    size_t prefix = observed_end(core->observed, token, end, acted, now_ns);
    if (end == LOOK_LOST) {
        return;
    }
    judge(core, prefix, true, now_ns);
    enum target target = core->services[index].decision.target;
    if (!condition_reaches(observed_view(core->observed, prefix, target).condition, target)) {
        look_again(core, index, now_ns);
    }
}

// Where no session carries a prefix there is nothing to look up: what is seen of it follows from
// that, and from what BIRD said of our protocols. That sessions went is told of them, and not once
// more of each prefix.
static void judge_uncarried(struct core *core, uint64_t now_ns)
{
    const struct observed *observed = core->observed;
    bool carried[FAMILIES];
    for (unsigned family = 0; family < FAMILIES; family++) {
        carried[family] = sessions_carry(&observed->sessions, family);
    }
    for (size_t i = 0; i < observed->prefix_count; i++) {
        if (!carried[observed->prefixes[i].prefix->family]) {
            judge(core, i, sessions_established(&observed->sessions) > 0, now_ns);
        }
    }
}

static void tell_sessions(struct core *core, uint64_t now_ns)
{
    struct session_news news;
    while (sessions_news(&core->observed->sessions, ms_of(now_ns), &news)) {
        events_add(core->events, EVENT_SESSION, NULL, now_ns, "%s", news.text)->warning =
            news.warning;
    }
}

static void snapshot_end(struct core *core, bool complete, uint64_t now_ns)
{
    core_look_snapshot_ended(core, complete, now_ns);
    if (!complete) {
        return;
    }
    core->sighted_ns = now_ns;
    if (!observed_snapshot_end(core->observed)) {
        events_add(core->events, EVENT_TROUBLE, NULL, now_ns,
                   "out of memory for BIRD's sessions: new ones are not watched")
            ->warning = true;
    }
    tell_sessions(core, now_ns);
    if (announcer_snapshot_end(core->announcer)) {
        core_confirm_adoption(core, now_ns);
    }
    for (size_t i = 0; i < core->config->service_count; i++) {
        note_acknowledged(core, i, now_ns);
    }
    judge_uncarried(core, now_ns);
}

void core_end(struct core *core, uint64_t token, enum bird_end end, unsigned code, const char *text,
              uint64_t now_ns)
{
    if (!is_ours(core, token)) {
        return;
    }
    bool complete = end == BIRD_END_REPLY;
    switch (order_kind(token)) {
    case ORDER_ENABLE:
    case ORDER_DISABLE:
        switch_end(core, token, code, text, complete, now_ns);
        break;
    case ORDER_PROTOCOLS:
        snapshot_end(core, complete && bird_outcome(code) == BIRD_OK, now_ns);
        break;
    case ORDER_LOOK:
        look_end(core, token, complete && bird_outcome(code) == BIRD_OK,
                 complete && bird_outcome(code) != BIRD_OK &&
                     bird_outcome(code) != BIRD_NO_PROTOCOL,
                 now_ns);
        break;
    case ORDER_REVISION:
        if (complete && (bird_outcome(code) == BIRD_OK || bird_outcome(code) == BIRD_NO_PROTOCOL)) {
            loader_revision(&core->loader, core->revision, ms_of(now_ns));
            core_contest_news(core, contest_loaded(&core->contest, core->revision), now_ns);
        }
        core->revision[0] = '\0';
        break;
    case ORDER_PIPE:
        core_look_pipe_ended(core, now_ns);
        break;
    case ORDER_ROUTE:
        look_up_end(core, token,
                    !complete                       ? LOOK_LOST
                    : bird_tells_export(code, text) ? LOOK_ANSWERED
                                                    : LOOK_FAILED,
                    now_ns);
        break;
    case ORDER_SESSION:
    case ORDER_BFD:
        sessions_end(&core->observed->sessions, token, !complete, ms_of(now_ns));
        tell_sessions(core, now_ns);
        break;
    case ORDER_CHECK:
    case ORDER_UNDER_WAY:
    case ORDER_CONFIGURE:
        loader_reply_end(&core->loader, order_kind(token), complete, code, ms_of(now_ns));
        core_want_snapshot(core);
        break;
    case ORDER_PEERS:
    case ORDER_PATHS:
        if (core->guard != NULL) {
            bool told = bird_outcome(code) == BIRD_OK || bird_outcome(code) == BIRD_NO_ROUTE;
            guard_end(core->guard, token, complete && told);
        }
        break;
    case ORDER_KINDS:
        break;
    }
    if (order_kind(token) != ORDER_ENABLE && order_kind(token) != ORDER_DISABLE) {
        core_look_answered(core, now_ns);
    }
    core_flush(core, now_ns);
}

void core_echo(struct core *core, const char *text, uint64_t now_ns)
{
    static const char command[] = "CLI"; // `debug commands`: somebody's, or our own question
    if (strncmp(text, command, sizeof command - 1) == 0) {
        return;
    }
    const char *ours = strstr(text, NAMES_OURS);
    if (ours != NULL) {
        core_look_soon(core, announcer_whose(core->announcer, ours), now_ns);
    } else if (strstr(text, "popgate") != NULL || strstr(text, "econfigur") != NULL) {
        core_look_soon(core, SIZE_MAX, now_ns);
    } else if (core->looking.snapshot_at_ms > ms_of(now_ns) + LOOK_AGAIN_MS) {
        core->looking.snapshot_at_ms = ms_of(now_ns) + LOOK_AGAIN_MS; // a session, perhaps
    }
    core_flush(core, now_ns);
}
