#include "controller/core/sessions.h"

#include <stdio.h>
#include <string.h>

#define MINUTE_MS     60000
#define ASK_MS        60000 // again
#define ASK_OFTEN_MS  1000
#define ASK_SPREAD_MS 50   // with many sessions, so long for each
#define ASK_NEWS_MS   1000 // of one that came or went, no sooner than so long after the last time

void sessions_init(struct sessions *sessions, const struct config *config)
{
    for (size_t i = 0; i < config->bird.session_count && i < SESSIONS_MAX; i++) {
        struct session *session = &sessions->all[sessions->count++];
        snprintf(session->name, sizeof session->name, "%s", config->bird.sessions[i]);
        session->named = true;
    }
}

void sessions_forget(struct sessions *sessions)
{
    for (size_t i = 0; i < sessions->count; i++) {
        sessions->all[i].established = false;
        sessions->all[i].questions = 0;
        sessions->all[i].state = SESSION_UNSEEN;
    }
    sessions->known = false;
    sessions->asking = false;
}

void sessions_begin(struct sessions *sessions)
{
    sessions->unplaced = false;
    for (size_t i = 0; i < sessions->count; i++) {
        sessions->all[i].in_snapshot = false;
    }
}

static bool is_watched(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->bird.session_count; i++) {
        if (strcmp(config->bird.sessions[i], name) == 0) {
            return true;
        }
    }
    return config->bird.session_count == 0;
}

static struct session *find(struct sessions *sessions, const char *name)
{
    for (size_t i = 0; i < sessions->count; i++) {
        if (strcmp(sessions->all[i].name, name) == 0) {
            return &sessions->all[i];
        }
    }
    return NULL;
}

// Its going must have been told, or nobody will hear of it.
static bool is_free(const struct session *session)
{
    return !session->named && !session->there && session->questions == 0 &&
           session->state <= SESSION_ABSENT;
}

// Of one that is gone, or a new one; NULL: there is none left.
static struct session *free_place(struct sessions *sessions)
{
    for (size_t i = 0; i < sessions->count; i++) {
        if (is_free(&sessions->all[i])) {
            return &sessions->all[i];
        }
    }
    return sessions->count < SESSIONS_MAX ? &sessions->all[sessions->count++] : NULL;
}

static struct session *session_named(struct sessions *sessions, const char *name)
{
    struct session *session = find(sessions, name);
    if (session != NULL) {
        return session;
    }
    session = free_place(sessions);
    if (session != NULL) {
        *session = (struct session){.named = false};
        snprintf(session->name, sizeof session->name, "%.*s", (int)sizeof session->name - 1, name);
    }
    return session;
}

void sessions_take_over(struct sessions *sessions, const struct config *config,
                        const struct sessions *old)
{
    for (size_t i = 0; i < old->count; i++) {
        const struct session *before = &old->all[i];
        struct session *session = session_is_one(before) && is_watched(config, before->name)
                                      ? session_named(sessions, before->name)
                                      : NULL;
        if (session != NULL) {
            bool named = session->named;
            *session = *before;
            session->named = named;
            session->questions = 0; // their answers count no more
        }
    }
    sessions->known = old->known;
    sessions->too_many = old->too_many;
    sessions->allowance = old->allowance;
    sessions->changes = old->changes; // or a number would come again that means another state
}

// BIRD's info is in columns, parted by several spaces.
static void say_state(struct session *session, const struct bird_protocol *row)
{
    size_t length = (size_t)snprintf(session->says, sizeof session->says, "%s", row->state);
    const char *word = row->info;
    while (*word != '\0') {
        const char *gap = strstr(word, "  ");
        int span = gap != NULL ? (int)(gap - word) : (int)strlen(word);
        length += (size_t)snprintf(session->says + length, sizeof session->says - length, ", %.*s",
                                   span, word);
        word += span;
        word += strspn(word, " ");
        if (length >= sizeof session->says) {
            return;
        }
    }
}

size_t sessions_row(struct sessions *sessions, const struct config *config,
                    const struct bird_protocol *row)
{
    if (strcmp(row->type, "BGP") != 0 || !is_watched(config, row->name)) {
        return SESSIONS_NONE;
    }
    struct session *session = session_named(sessions, row->name);
    if (session == NULL) {
        sessions->unplaced = true;
        return SESSIONS_NONE;
    }
    session->there = session->in_snapshot = true;
    say_state(session, row);
    bool established = row->up && row->established;
    if (session->established == established) {
        return SESSIONS_NONE;
    }
    session->established = established;
    return (size_t)(session - sessions->all);
}

size_t sessions_missing(struct sessions *sessions)
{
    for (size_t i = 0; i < sessions->count; i++) {
        if (!sessions->all[i].in_snapshot && sessions->all[i].established) {
            sessions->all[i].established = false;
            return i;
        }
    }
    for (size_t i = 0; i < sessions->count; i++) {
        sessions->all[i].there = sessions->all[i].in_snapshot;
    }
    sessions->too_many = sessions->unplaced;
    return SESSIONS_NONE;
}

// ---- What is told of them

const char *session_state_name(enum session_state state)
{
    static const char *const names[] = {"unknown", "absent", "down", "established"};
    return names[state];
}

bool session_is_one(const struct session *session)
{
    return session->name[0] != '\0' && (session->named || session->there) &&
           !(session->bgp_known && session->bgp.range);
}

bool session_carries(const struct session *session, enum family family)
{
    return !session->bgp_known || (family == FAMILY_V4 ? session->bgp.ipv4 : session->bgp.ipv6);
}

// A range of neighbors says that it is passive, as a session may: only its details tell.
static bool may_be_range(const struct session *session)
{
    return session->there && !session->established && session->bgp_at_ms == 0 &&
           strstr(session->says, "Passive") != NULL;
}

enum session_state session_state(const struct session *session)
{
    return !session->there        ? SESSION_ABSENT
           : session->established ? SESSION_ESTABLISHED
                                  : SESSION_DOWN;
}

static bool is_over(const struct allowance *allowance, uint64_t now_ms)
{
    return now_ms - allowance->began_ms >= MINUTE_MS;
}

static bool allow(struct allowance *allowance, unsigned lines, uint64_t now_ms)
{
    if (is_over(allowance, now_ms)) {
        *allowance = (struct allowance){.began_ms = now_ms};
    }
    bool allowed = allowance->told < lines;
    allowance->told += allowed;
    allowance->held += !allowed;
    return allowed;
}

// How many were held back in a minute that is over; 0: none, or it is not over.
static unsigned take_held(struct allowance *allowance, uint64_t now_ms)
{
    unsigned held = is_over(allowance, now_ms) ? allowance->held : 0;
    allowance->held -= held;
    return held;
}

static void tell_first(struct sessions *sessions, uint64_t now_ms, struct session_news *out)
{
    size_t count = 0;
    size_t length = 0;
    char down[SESSION_TEXT_MAX / 2] = "";
    for (size_t i = 0; i < sessions->count; i++) {
        struct session *session = &sessions->all[i];
        if (!session_is_one(session)) {
            continue;
        }
        session->state = session_state(session);
        session->since_ms = now_ms;
        count++;
        if (session->state != SESSION_ESTABLISHED && length < sizeof down) {
            length += (size_t)snprintf(down + length, sizeof down - length, "%s%s (%s)",
                                       length > 0 ? ", " : ": all but ", session->name,
                                       session->there ? session->says : "BIRD has none");
        }
    }
    size_t established = sessions_established(sessions);
    out->warning = established < count;
    if (count == 0) {
        snprintf(out->text, sizeof out->text, "BIRD has no BGP session");
        return;
    }
    snprintf(out->text, sizeof out->text, "%zu of %zu BGP session%s established%s", established,
             count, count == 1 ? " is" : "s are", down);
}

static void tell_one(const struct session *session, struct session_news *out)
{
    out->warning = session->state != SESSION_ESTABLISHED;
    snprintf(out->text, sizeof out->text, "BGP session %s is %s%s%s%s", session->name,
             session->state == SESSION_ABSENT ? "gone: BIRD has no such protocol any more"
                                              : session_state_name(session->state),
             session->state == SESSION_DOWN ? " (" : "",
             session->state == SESSION_DOWN ? session->says : "",
             session->state == SESSION_DOWN ? ")" : "");
    if (session->allowance.told == SESSION_LINES) {
        size_t length = strlen(out->text);
        snprintf(out->text + length, sizeof out->text - length,
                 "; more of it within this minute is counted, but not listed");
    }
}

// What is known of it in detail was of the session before.
static void ask_anew(struct sessions *sessions, struct session *session, uint64_t now_ms)
{
    uint64_t soon_ms = session->bgp_at_ms + ASK_NEWS_MS;
    session->bgp.open = false;
    session->ask_at_ms = soon_ms > now_ms ? soon_ms : now_ms;
    sessions->ask_bfd_at_ms = session->ask_at_ms;
}

static bool has_news(struct sessions *sessions, struct session *session, uint64_t now_ms,
                     struct session_news *out)
{
    unsigned held = take_held(&session->allowance, now_ms);
    enum session_state state = session_state(session);
    if (held > 0) {
        out->warning = true;
        snprintf(out->text, sizeof out->text,
                 "BGP session %s changed %u more times within a minute", session->name, held);
        return true;
    }
    if (session->state == state || (session->state == SESSION_UNSEEN && !session->there)) {
        return false;
    }
    if (may_be_range(session) || !(session_is_one(session) || state == SESSION_ABSENT)) {
        return false;
    }
    session->state = state;
    session->since_ms = now_ms;
    ask_anew(sessions, session, now_ms);
    if (!allow(&session->allowance, SESSION_LINES, now_ms) ||
        !allow(&sessions->allowance, SESSIONS_LINES, now_ms)) {
        return false;
    }
    tell_one(session, out);
    return true;
}

static bool await_details(const struct sessions *sessions)
{
    for (size_t i = 0; i < sessions->count; i++) {
        if (may_be_range(&sessions->all[i])) {
            return true;
        }
    }
    return false;
}

bool sessions_news(struct sessions *sessions, uint64_t now_ms, struct session_news *out)
{
    if (!sessions->known) {
        if (await_details(sessions)) {
            return false;
        }
        sessions->known = true;
        tell_first(sessions, now_ms, out);
        return true;
    }
    unsigned held = take_held(&sessions->allowance, now_ms);
    if (held > 0) {
        out->warning = true;
        snprintf(out->text, sizeof out->text,
                 "%u more changes of BGP sessions within a minute are not listed", held);
        return true;
    }
    for (size_t i = 0; i < sessions->count; i++) {
        if (has_news(sessions, &sessions->all[i], now_ms, out)) {
            return true;
        }
    }
    return false;
}

// ---- What is asked about them

static bool is_due(const struct sessions *sessions, const struct session *session, bool often,
                   uint64_t now_ms)
{
    uint64_t pause_ms = sessions->count * ASK_SPREAD_MS;
    pause_ms = pause_ms > ASK_OFTEN_MS ? pause_ms : ASK_OFTEN_MS;
    return session->there &&
           (session->ask_at_ms <= now_ms ||
            (often && session->established && session->asked_ms + pause_ms <= now_ms));
}

void sessions_plan(struct sessions *sessions, struct orders *orders, bool often, uint64_t now_ms)
{
    if (sessions->asking || orders_room(orders) == 0) {
        return;
    }
    bool any = false;
    for (size_t i = 0; i < sessions->count && !sessions->asking; i++) {
        struct session *session = &sessions->all[i];
        any = any || session->there;
        if (!is_due(sessions, session, often, now_ms)) {
            continue;
        }
        session->ask_at_ms = now_ms + ASK_MS;
        session->asked_ms = now_ms;
        sessions->asking =
            orders_put(orders, ORDER_LINK_ASK, false, order_token(ORDER_SESSION, i, 0),
                       bird_show_protocols_all(session->name));
        session->questions += sessions->asking;
        sessions->reader = (struct bird_bgp_reader){.found = false};
        memcpy(sessions->reader.name, session->name, sizeof sessions->reader.name);
    }
    if (any && !sessions->asking && sessions->ask_bfd_at_ms <= now_ms) {
        sessions->ask_bfd_at_ms = now_ms + ASK_MS;
        sessions->asking = orders_put(orders, ORDER_LINK_ASK, false, order_token(ORDER_BFD, 0, 0),
                                      bird_show_bfd());
        for (size_t i = 0; i < sessions->count; i++) {
            sessions->all[i].bfd_next[0] = '\0';
        }
    }
}

// An answer may come to a question from before all was forgotten.
void sessions_answered(struct sessions *sessions, size_t place)
{
    sessions->all[place].questions -= sessions->all[place].questions > 0;
}

// A neighbor's address may have its interface behind it.
static bool is_with(const struct bird_bfd *bfd, const char *neighbor)
{
    size_t length = strcspn(neighbor, "%");
    return strlen(bfd->address) == length && memcmp(bfd->address, neighbor, length) == 0 &&
           (neighbor[length] == '\0' || strcmp(neighbor + length + 1, bfd->interface) == 0);
}

void sessions_line(struct sessions *sessions, uint64_t token, const struct bird_line *line)
{
    struct bird_bfd bfd;
    if (order_kind(token) == ORDER_SESSION) {
        bird_bgp_line(&sessions->reader, line);
        return;
    }
    if (!bird_parse_bfd(line, &bfd)) {
        return;
    }
    for (size_t i = 0; i < sessions->count; i++) {
        struct session *session = &sessions->all[i];
        if (session->there && is_with(&bfd, session->bgp.neighbor)) {
            memcpy(session->bfd_next, bfd.state, sizeof session->bfd_next);
        }
    }
}

static void note_exports(struct sessions *sessions, struct session *session, uint64_t exported)
{
    if (exported == 0) {
        session->exports = 0;
    } else if (session->exports == 0 || exported != session->bgp.exported) {
        session->exports = ++sessions->changes;
    }
    session->exports_ms = session->asked_ms;
}

static void session_end(struct sessions *sessions, size_t place, uint64_t now_ms)
{
    struct session *session = &sessions->all[place];
    sessions_answered(sessions, place);
    session->bgp_at_ms = now_ms;
    if (sessions->reader.found) {
        note_exports(sessions, session, sessions->reader.bgp.exported);
        session->bgp_known = true;
        session->bgp = sessions->reader.bgp;
    }
}

void sessions_end(struct sessions *sessions, uint64_t token, bool lost, uint64_t now_ms)
{
    sessions->asking = false;
    if (lost) {
        return;
    }
    if (order_kind(token) == ORDER_SESSION) {
        if (order_a(token) < sessions->count) { // else it is from before all was forgotten
            session_end(sessions, order_a(token), now_ms);
        }
        return;
    }
    for (size_t i = 0; i < sessions->count; i++) {
        memcpy(sessions->all[i].bfd, sessions->all[i].bfd_next, sizeof sessions->all[i].bfd);
    }
}

uint32_t session_restart_s(const struct session *session)
{
    return session->bgp.theirs.graceful ? session->bgp.ours.restart_s : 0;
}

uint32_t session_stale_s(const struct session *session)
{
    return session->bgp.theirs.long_lived ? session->bgp.ours.stale_s : 0;
}

bool sessions_carry(const struct sessions *sessions, enum family family)
{
    for (size_t i = 0; i < sessions->count; i++) {
        if (sessions->all[i].established && session_carries(&sessions->all[i], family)) {
            return true;
        }
    }
    return false;
}

size_t sessions_count(const struct sessions *sessions)
{
    size_t count = 0;
    for (size_t i = 0; i < sessions->count; i++) {
        count += session_is_one(&sessions->all[i]);
    }
    return count;
}

size_t sessions_established(const struct sessions *sessions)
{
    size_t count = 0;
    for (size_t i = 0; i < sessions->count; i++) {
        count += sessions->all[i].established;
    }
    return count;
}
