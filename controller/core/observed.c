#include "controller/core/observed.h"

#include "controller/core/names.h"

#include "base/clock.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ODD_FOR_MS 1000
#define NO_NAME    UINT16_MAX
#define STALE_MS   60000

// In a look-up's second index, beside the session: it asks what is exported in fact.
#define IN_FACT 0x10000U

const char *condition_name(enum condition condition)
{
    static const char *const names[] = {"unknown", "as-meant",   "short",   "hidden", "leak",
                                        "late",    "no-channel", "altered", "pending"};
    return names[condition];
}

bool condition_reaches(enum condition condition, enum target target)
{
    return condition == CONDITION_AS_MEANT ||
           (condition == CONDITION_ALTERED && target == TARGET_ANNOUNCE);
}

static void answer_forget(struct observed *observed)
{
    observed->answer[0] = '\0';
    observed->answer_seen = SEEN_NONE;
    observed->answer_over = false;
}

struct observed *observed_new(const struct config *config)
{
    struct observed *observed = calloc(1, sizeof *observed);
    if (observed == NULL) {
        return NULL;
    }
    observed->config = config;
    answer_forget(observed);
    budget_init(&observed->budget, 0);
    for (size_t i = 0; i < config->service_count; i++) {
        observed->prefix_count += config->services[i].prefix_count;
    }
    observed->prefixes = calloc(observed->prefix_count + 1, sizeof *observed->prefixes);
    observed->first = calloc(config->service_count + 1, sizeof *observed->first);
    if (observed->prefixes == NULL || observed->first == NULL) {
        observed_free(observed);
        return NULL;
    }
    size_t next = 0;
    for (size_t i = 0; i < config->service_count; i++) {
        observed->first[i] = next;
        for (size_t j = 0; j < config->services[i].prefix_count; j++) {
            observed->prefixes[next++] =
                (struct seen_prefix){.service = i, .prefix = &config->services[i].prefixes[j]};
        }
    }
    observed->first[config->service_count] = next;
    sessions_init(&observed->sessions, config);
    return observed;
}

void observed_free(struct observed *observed)
{
    if (observed == NULL) {
        return;
    }
    free(observed->prefixes);
    free(observed->first);
    free(observed->entries);
    for (unsigned i = 0; i < LOOK_QUEUES; i++) {
        free(observed->queues[i].items);
    }
    free(observed);
}

// Of withdrawing, nothing is.
static enum seen meant_by(enum target target)
{
    return target == TARGET_ANNOUNCE       ? SEEN_PRIMARY
           : target == TARGET_DEPREFERENCE ? SEEN_DRAIN
                                           : SEEN_NONE;
}

static bool is_ours(enum seen seen)
{
    return seen == SEEN_PRIMARY || seen == SEEN_DRAIN;
}

static enum leg_name leg_of(enum seen seen)
{
    return seen == SEEN_PRIMARY ? LEG_PRIMARY : LEG_DRAIN;
}

void observed_move(struct observed *observed, const struct config *config)
{
    assert(config->service_count == observed->config->service_count);
    observed->config = config;
    for (size_t i = 0; i < observed->prefix_count; i++) {
        struct seen_prefix *it = &observed->prefixes[i];
        it->prefix = &config->services[it->service].prefixes[i - observed->first[it->service]];
    }
    if (is_ours(observed->answer_seen)) {
        const struct seen_prefix *about = &observed->prefixes[observed->answer_prefix];
        carried_move(&observed->carried, &config->services[about->service],
                     leg_of(observed->answer_seen));
    }
}

static struct seen_entry *entry_at(const struct observed *observed, size_t session, size_t prefix)
{
    return &observed->entries[session * observed->prefix_count + prefix];
}

static size_t entry_count(const struct observed *observed)
{
    size_t sessions = observed->sessions.count < observed->entry_sessions
                          ? observed->sessions.count
                          : observed->entry_sessions;
    return sessions * observed->prefix_count;
}

static void enqueue(struct observed *observed, size_t entry, enum look_queue_name name)
{
    struct look_queue *queue = &observed->queues[name];
    uint8_t bit = (uint8_t)(1U << name);
    if ((observed->entries[entry].queued & bit) != 0 || queue->length == observed->queue_room) {
        return;
    }
    observed->entries[entry].queued |= bit;
    queue->items[(queue->first + queue->length++) % observed->queue_room] = entry;
}

static size_t dequeue(struct observed *observed, enum look_queue_name name)
{
    struct look_queue *queue = &observed->queues[name];
    size_t entry = queue->items[queue->first];
    queue->first = (queue->first + 1) % observed->queue_room;
    queue->length--;
    observed->entries[entry].queued &= (uint8_t) ~(1U << name);
    return entry;
}

void observed_forget(struct observed *observed)
{
    sessions_forget(&observed->sessions);
    for (size_t i = 0; i < entry_count(observed); i++) {
        observed->entries[i] = (struct seen_entry){.seen = SEEN_UNKNOWN};
    }
    for (unsigned i = 0; i < LOOK_QUEUES; i++) {
        observed->queues[i].length = 0;
    }
    observed->turn_left = 0;
    observed->in_flight = 0;
    budget_forget(&observed->budget);
    answer_forget(observed);
}

void observed_snapshot_begin(struct observed *observed)
{
    sessions_begin(&observed->sessions);
}

static void session_changed(struct observed *observed, size_t session)
{
    for (size_t i = 0; session < observed->entry_sessions && i < observed->prefix_count; i++) {
        struct seen_entry *entry = entry_at(observed, session, i);
        entry->seen = observed->sessions.all[session].established ? SEEN_UNKNOWN : SEEN_NONE;
        if (observed->sessions.all[session].established) {
            enqueue(observed, session * observed->prefix_count + i, LOOK_REST);
        }
    }
}

void observed_row(struct observed *observed, const struct bird_protocol *row)
{
    size_t session = sessions_row(&observed->sessions, observed->config, row);
    if (session != SESSIONS_NONE) {
        session_changed(observed, session);
    }
}

static size_t *longer(const struct observed *observed, const struct look_queue *queue, size_t room)
{
    size_t *items = calloc(room, sizeof *items);
    for (size_t i = 0; items != NULL && i < queue->length; i++) {
        items[i] = queue->items[(queue->first + i) % observed->queue_room];
    }
    return items;
}

static bool grow_queues(struct observed *observed, size_t room)
{
    size_t *items[LOOK_QUEUES];
    for (unsigned i = 0; i < LOOK_QUEUES; i++) {
        items[i] = longer(observed, &observed->queues[i], room);
        if (items[i] == NULL) {
            while (i-- > 0) {
                free(items[i]);
            }
            return false;
        }
    }
    for (unsigned i = 0; i < LOOK_QUEUES; i++) {
        free(observed->queues[i].items);
        observed->queues[i].items = items[i];
        observed->queues[i].first = 0;
    }
    observed->queue_room = room;
    return true;
}

// New sessions need entries; those that there are keep theirs.
static bool grow(struct observed *observed)
{
    size_t old = observed->entry_sessions * observed->prefix_count;
    size_t count = observed->sessions.count * observed->prefix_count;
    struct seen_entry *entries = calloc(count + 1, sizeof *entries);
    if (entries == NULL || !grow_queues(observed, count + 1)) {
        free(entries);
        return false;
    }
    if (old > 0) {
        memcpy(entries, observed->entries, old * sizeof *entries);
    }
    free(observed->entries);
    size_t first_new = observed->entry_sessions;
    observed->entries = entries;
    observed->entry_sessions = observed->sessions.count;
    for (size_t i = first_new; i < observed->sessions.count; i++) {
        session_changed(observed, i);
    }
    return true;
}

bool observed_snapshot_end(struct observed *observed)
{
    size_t session;
    while ((session = sessions_missing(&observed->sessions)) != SESSIONS_NONE) {
        session_changed(observed, session);
    }
    return observed->sessions.count <= observed->entry_sessions || grow(observed);
}

static bool is_meant(const struct seen_entry *entry, enum seen meant)
{
    return entry->seen == meant && entry->lacks == 0;
}

// meant: what need not be looked at; SEEN_UNKNOWN: everything is.
static void look_but(struct observed *observed, size_t service, enum seen meant,
                     enum look_queue_name when)
{
    assert(service < observed->config->service_count);
    for (size_t i = 0; i < observed->sessions.count && i < observed->entry_sessions; i++) {
        if (!observed->sessions.all[i].established) {
            continue;
        }
        for (size_t k = observed->first[service]; k < observed->first[service + 1]; k++) {
            if (meant == SEEN_UNKNOWN || !is_meant(entry_at(observed, i, k), meant)) {
                enqueue(observed, i * observed->prefix_count + k, when);
            }
        }
    }
}

void observed_look(struct observed *observed, size_t service, enum look_queue_name when)
{
    look_but(observed, service, SEEN_UNKNOWN, when);
}

void observed_look_again(struct observed *observed, size_t service, enum target target,
                         enum look_queue_name when)
{
    look_but(observed, service, meant_by(target), when);
}

void observed_look_in_turn(struct observed *observed, size_t count)
{
    size_t entries = entry_count(observed);
    observed->turn_left = count < entries ? count : entries;
}

// Has the session exported nothing else since it was looked up?
static bool is_still_so(const struct observed *observed, size_t entry)
{
    const struct session *session = &observed->sessions.all[entry / observed->prefix_count];
    const struct seen_entry *it = &observed->entries[entry];
    return it->seen != SEEN_UNKNOWN && session->exports != 0 && it->exports == session->exports;
}

// When it was last known to be so.
static uint64_t known_ms(const struct observed *observed, size_t session, size_t prefix)
{
    const struct seen_entry *entry = entry_at(observed, session, prefix);
    uint64_t seen_ms = (uint64_t)entry->seen_s * 1000;
    uint64_t exports_ms = is_still_so(observed, session * observed->prefix_count + prefix)
                              ? observed->sessions.all[session].exports_ms
                              : 0;
    return exports_ms > seen_ms ? exports_ms : seen_ms;
}

uint64_t observed_good_for_ms(const struct observed *observed)
{
    size_t entries = entry_count(observed);
    uint64_t cost_ms = entries * (observed->budget.each_ns * BUDGET_SHARE / NS_PER_MS);
    uint64_t turns_ms = entries * 1000 / OBSERVED_PER_SECOND;
    return STALE_MS + 3 * (cost_ms > turns_ms ? cost_ms : turns_ms);
}

static bool is_stale(const struct observed *observed, size_t session, size_t prefix)
{
    return entry_at(observed, session, prefix)->seen != SEEN_UNKNOWN &&
           observed->now_ms > known_ms(observed, session, prefix) + observed_good_for_ms(observed);
}

static bool is_asked_about(const struct observed *observed, size_t entry)
{
    const struct session *session = &observed->sessions.all[entry / observed->prefix_count];
    const struct prefix *prefix = observed->prefixes[entry % observed->prefix_count].prefix;
    return session->established && session_carries(session, prefix->family);
}

// The next entry in turn; where look-ups are dear, of those that may be otherwise by now.
static bool take_turn(struct observed *observed, size_t *entry)
{
    size_t entries = entry_count(observed);
    bool dear = budget_is_dear(&observed->budget);
    while (observed->turn_left > 0 && entries > 0) {
        observed->turn_left--;
        observed->turn = (observed->turn + 1) % entries;
        if (is_asked_about(observed, observed->turn) &&
            !(dear && is_still_so(observed, observed->turn))) {
            *entry = observed->turn;
            return true;
        }
    }
    return false;
}

static bool take_queued(struct observed *observed, enum look_queue_name name, size_t *entry)
{
    while (observed->queues[name].length > 0) {
        *entry = dequeue(observed, name);
        if (is_asked_about(observed, *entry)) {
            return true;
        }
    }
    return false;
}

static bool take_next(struct observed *observed, size_t *entry)
{
    if (take_queued(observed, LOOK_CHANGED, entry)) {
        return true;
    }
    if (budget_is_spent(&observed->budget)) {
        return false;
    }
    observed->turn_next = !observed->turn_next;
    return observed->turn_next
               ? take_turn(observed, entry) || take_queued(observed, LOOK_REST, entry)
               : take_queued(observed, LOOK_REST, entry) || take_turn(observed, entry);
}

static bool ask(struct observed *observed, struct orders *orders, size_t index, uint64_t actions)
{
    char text[PREFIX_TEXT_MAX];
    size_t session = index / observed->prefix_count;
    size_t prefix = index % observed->prefix_count;
    const struct session *it = &observed->sessions.all[session];
    bool in_fact = it->bgp.limited && !observed->entries[index].in_fact;
    prefix_text(observed->prefixes[prefix].prefix, text);
    observed->entries[index].asked = (uint32_t)actions;
    observed->entries[index].exports = observed->sessions.all[session].exports;
    bool asked =
        orders_put(orders, ORDER_LINK_ASK, false,
                   order_token(ORDER_ROUTE, prefix, session + (in_fact ? IN_FACT : 0)),
                   in_fact ? bird_show_exported(text, it->name) : bird_show_export(text, it->name));
    observed->in_flight += asked;
    observed->sessions.all[session].questions += asked;
    return asked;
}

void observed_plan(struct observed *observed, struct orders *orders, uint64_t actions, bool busy,
                   uint64_t now_ns)
{
    observed->now_ms = now_ns / NS_PER_MS;
    size_t room = budget_room(&observed->budget, now_ns);
    size_t asked = 0;
    size_t entry;
    if (busy && room > 0) {
        room = budget_is_dear(&observed->budget) ? 0 : 1;
    }
    while (asked < room && orders_room(orders) > 0 && take_next(observed, &entry)) {
        asked += ask(observed, orders, entry, actions);
    }
    if (asked > 0) {
        budget_asked(&observed->budget, asked, now_ns);
    }
}

uint64_t observed_next_ns(const struct observed *observed)
{
    bool changed = observed->queues[LOOK_CHANGED].length > 0;
    bool waits = changed || observed->queues[LOOK_REST].length + observed->turn_left > 0;
    return waits ? budget_next_ns(&observed->budget, changed) : UINT64_MAX;
}

static enum seen whose(const struct observed *observed, size_t prefix, const char *protocol)
{
    const struct seen_prefix *about = &observed->prefixes[prefix];
    const struct service_conf *service = &observed->config->services[about->service];
    for (unsigned leg = 0; leg < LEGS; leg++) {
        char name[BIRD_PROTOCOL_MAX];
        names_protocol(service, about->prefix->family, leg, name);
        if (strcmp(protocol, name) == 0) {
            return leg == LEG_PRIMARY ? SEEN_PRIMARY : SEEN_DRAIN;
        }
    }
    return SEEN_OTHER;
}

static size_t session_of(uint64_t token)
{
    return order_b(token) & ~(size_t)IN_FACT;
}

bool observed_asks(const struct observed *observed, uint64_t token)
{
    return observed->in_flight > 0 && order_a(token) < observed->prefix_count &&
           session_of(token) < observed->entry_sessions;
}

void observed_line(struct observed *observed, uint64_t token, const struct bird_line *line)
{
    struct bird_route route;
    if (!observed_asks(observed, token)) {
        return;
    }
    if (!bird_parse_route(line, &route)) {
        if (is_ours(observed->answer_seen) && !observed->answer_over) {
            carried_line(&observed->carried, line);
        }
        return;
    }
    if (observed->answer[0] != '\0') {
        observed->answer_over = true;
        return;
    }
    size_t prefix = order_a(token);
    const struct bird_bgp *bgp = &observed->sessions.all[session_of(token)].bgp;
    snprintf(observed->answer, sizeof observed->answer, "%.*s", (int)sizeof observed->answer - 1,
             route.protocol);
    observed->answer_prefix = prefix;
    observed->answer_seen = whose(observed, prefix, route.protocol);
    if (is_ours(observed->answer_seen)) {
        carried_begin(&observed->carried,
                      &observed->config->services[observed->prefixes[prefix].service],
                      leg_of(observed->answer_seen), observed->config->bird.local_as,
                      bgp->open && bgp->neighbor_as != bgp->local_as);
    }
}

static uint16_t name_index(struct observed *observed, const char *name)
{
    for (size_t i = 0; i < observed->name_count; i++) {
        if (strcmp(observed->names[i], name) == 0) {
            return (uint16_t)i;
        }
    }
    if (observed->name_count == OBSERVED_NAMES_MAX) {
        return NO_NAME;
    }
    snprintf(observed->names[observed->name_count], sizeof observed->names[0], "%s", name);
    return (uint16_t)observed->name_count++;
}

static void set_seen(struct observed *observed, struct seen_entry *entry)
{
    entry->seen = observed->answer_seen;
    entry->lacks = is_ours(observed->answer_seen) ? carried_lacks(&observed->carried) : 0;
    if (entry->seen == SEEN_OTHER) {
        entry->other = name_index(observed, observed->answer);
    }
}

size_t observed_service(const struct observed *observed, uint64_t token)
{
    assert(order_a(token) < observed->prefix_count);
    return observed->prefixes[order_a(token)].service;
}

size_t observed_end(struct observed *observed, uint64_t token, enum look_end end, uint64_t acted,
                    uint64_t now_ns)
{
    size_t prefix = order_a(token);
    size_t session = session_of(token);
    assert(observed_asks(observed, token));
    if (end != LOOK_LOST) {
        observed->in_flight--;
        budget_answered(&observed->budget, now_ns);
        observed->sessions.all[session].questions--;
        struct seen_entry *entry = entry_at(observed, session, prefix);
        entry->in_fact = false;
        bool stale = (int32_t)((uint32_t)acted - entry->asked) > 0;
        if (!observed->sessions.all[session].established) {
            entry->seen = SEEN_NONE;
        } else if (stale) {
            enqueue(observed, session * observed->prefix_count + prefix, LOOK_CHANGED);
        } else if (end == LOOK_FAILED) {
            entry->seen = SEEN_UNKNOWN;
        } else if ((order_b(token) & IN_FACT) != 0 && is_ours(observed->answer_seen)) {
            entry->in_fact = true; // for the question that now follows
            enqueue(observed, session * observed->prefix_count + prefix, LOOK_CHANGED);
        } else {
            set_seen(observed, entry);
            entry->seen_s = (uint32_t)(now_ns / NS_PER_S);
        }
    }
    answer_forget(observed);
    return prefix;
}

static const char *other_name(const struct observed *observed, const struct seen_entry *entry)
{
    return entry->other == NO_NAME ? "another protocol" : observed->names[entry->other];
}

static enum condition condition_of(const struct prefix_view *view, const size_t seen[],
                                   enum target target, uint64_t min_sessions)
{
    enum seen meant = meant_by(target);
    enum seen unmeant = target == TARGET_ANNOUNCE ? SEEN_DRAIN : SEEN_PRIMARY;
    if (target == TARGET_WITHDRAW) {
        if (view->announced > 0) {
            return CONDITION_LATE;
        }
        return view->other > 0     ? CONDITION_LEAK
               : view->unknown > 0 ? CONDITION_UNKNOWN
                                   : CONDITION_AS_MEANT;
    }
    if (seen[unmeant] > 0) {
        return CONDITION_LATE;
    }
    if (seen[meant] >= min_sessions) {
        return view->altered > 0 ? CONDITION_ALTERED : CONDITION_AS_MEANT;
    }
    if (view->uncarried > 0 &&
        seen[meant] + seen[SEEN_NONE] + view->other + view->unknown < min_sessions) {
        return CONDITION_NO_CHANNEL;
    }
    if (view->unknown > 0) {
        return CONDITION_UNKNOWN;
    }
    return view->other > 0 || seen[SEEN_NONE] > 0 ? CONDITION_HIDDEN : CONDITION_SHORT;
}

struct prefix_view observed_view(const struct observed *observed, size_t prefix, enum target target)
{
    assert(prefix < observed->prefix_count && target <= TARGET_ANNOUNCE);
    struct prefix_view view = {0};
    size_t seen[SEEN_OTHER + 1] = {0};
    enum seen meant = meant_by(target);
    for (size_t i = 0; i < observed->sessions.count; i++) {
        const struct session *session = &observed->sessions.all[i];
        if (!session->established) {
            continue;
        }
        if (!session_carries(session, observed->prefixes[prefix].prefix->family)) {
            view.uncarried++;
            continue;
        }
        if (i >= observed->entry_sessions) {
            seen[SEEN_UNKNOWN]++; // it came up a moment ago
            continue;
        }
        const struct seen_entry *entry = entry_at(observed, i, prefix);
        if (is_stale(observed, i, prefix)) {
            seen[SEEN_UNKNOWN]++;
            continue;
        }
        if (entry->seen != SEEN_UNKNOWN &&
            (view.since_ms == 0 || known_ms(observed, i, prefix) < view.since_ms)) {
            view.since_ms = known_ms(observed, i, prefix);
        }
        seen[entry->seen]++;
        if (session->named && view.lacking == NULL && target != TARGET_WITHDRAW &&
            (entry->seen == SEEN_NONE || entry->seen == SEEN_OTHER)) {
            view.lacking = session->name;
        }
        if (entry->seen == SEEN_OTHER && view.other_name == NULL) {
            view.other_name = other_name(observed, entry);
            view.other_session = session->name;
        }
        if (entry->seen == meant && entry->lacks != 0) {
            view.lacks = view.altered++ == 0 ? entry->lacks : view.lacks;
            view.altered_session =
                view.altered == 1 ? observed->sessions.all[i].name : view.altered_session;
        }
    }
    view.announced = seen[SEEN_PRIMARY] + seen[SEEN_DRAIN];
    view.other = seen[SEEN_OTHER];
    view.unknown = seen[SEEN_UNKNOWN];
    view.condition = condition_of(&view, seen, target, observed->config->bird.min_sessions);
    return view;
}

const char *observed_lacks(const struct observed *observed, size_t prefix, enum target target,
                           const struct prefix_view *view, char out[CARRIED_TEXT_MAX])
{
    assert(view->altered > 0);
    return carried_text(&observed->config->services[observed->prefixes[prefix].service],
                        leg_of(meant_by(target)), view->lacks, out);
}

bool observed_is_stale(const struct observed *observed, size_t service)
{
    for (size_t i = 0; i < observed->sessions.count && i < observed->entry_sessions; i++) {
        for (size_t k = observed->first[service]; k < observed->first[service + 1]; k++) {
            if (is_asked_about(observed, i * observed->prefix_count + k) &&
                is_stale(observed, i, k)) {
                return true;
            }
        }
    }
    return false;
}

bool observed_as_meant(const struct observed *observed, size_t service, enum target target)
{
    for (size_t i = observed->first[service]; i < observed->first[service + 1]; i++) {
        if (!condition_reaches(observed_view(observed, i, target).condition, target)) {
            return false;
        }
    }
    return true;
}

bool observed_step(struct observed *observed, size_t prefix, enum target target, uint64_t now_ms)
{
    struct seen_prefix *it = &observed->prefixes[prefix];
    enum condition condition = observed_view(observed, prefix, target).condition;
    if (condition == CONDITION_AS_MEANT) {
        it->odd_since_ms = 0;
    } else if (it->odd_since_ms == 0) {
        it->odd_since_ms = now_ms;
    }
    if (condition == it->condition || condition == CONDITION_UNKNOWN ||
        (condition != CONDITION_AS_MEANT && now_ms - it->odd_since_ms < ODD_FOR_MS)) {
        return false;
    }
    bool first = it->condition == CONDITION_UNKNOWN;
    it->condition = condition;
    return !first || condition != CONDITION_AS_MEANT;
}
