#include "controller/core/loader.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define RETRY_MS     5000
#define SETTLE_MS    2000 // BIRD may reconfigure in the background (reply 0004)
#define ASK_AGAIN_MS 100  // whether that is over

const char *load_name(enum load_state state)
{
    static const char *const names[] = {"waiting",     "saving",     "checking", "asking",
                                        "configuring", "loaded",     "refused",  "not-included",
                                        "by-hand",     "unconfirmed"};
    return names[state];
}

void loader_init(struct loader *loader, struct include *include, bool automatic)
{
    assert(include->next != NULL);
    *loader = (struct loader){.state = LOAD_WAITING,
                              .automatic = automatic,
                              .include = include,
                              .next_trusted = include->next_was_former};
}

static void enter(struct loader *loader, enum load_state state)
{
    loader->state = state;
    loader->configured = false;
    if (state != LOAD_REFUSED) {
        loader->message[0] = '\0';
    }
}

void loader_link(struct loader *loader)
{
    // What BIRD does about a check or configure under way, it will say by its revision when it is
    // back.
    loader->revision_known = false;
    loader->retry_at_ms = 0;
    if (loader->state != LOAD_SAVING) {
        enter(loader, LOAD_WAITING);
    }
}

static bool is_loaded(const struct loader *loader)
{
    return loader->revision_known && strcmp(loader->loaded, loader->include->next->revision) == 0;
}

// BIRD has the new file: there is no way back any more, and none is needed.
static void settle_on_next(struct loader *loader)
{
    include_settle(loader->include);
    loader->next_trusted = true;
    enter(loader, LOAD_LOADED);
}

void loader_revision(struct loader *loader, const char *revision, uint64_t now_ms)
{
    bool was_loaded = is_loaded(loader);
    bool is_new = revision[0] != '\0' && strcmp(revision, loader->loaded) != 0;
    snprintf(loader->loaded, sizeof loader->loaded, "%s", revision);
    loader->revision_known = true;
    // Somebody loaded another file over ours; or there is an include line now, but what it brought
    // was older.
    if ((was_loaded || (is_new && loader->state == LOAD_NOT_INCLUDED)) && !is_loaded(loader)) {
        loader->retry_at_ms = now_ms;
        enter(loader, LOAD_WAITING);
    }
}

void loader_reply_line(struct loader *loader, enum order_kind kind, const struct bird_line *line)
{
    enum bird_outcome outcome = bird_outcome(line->code);
    if (kind == ORDER_UNDER_WAY) {
        bool waits = line->code == BIRD_CODE_RECONFIGURING || line->code == BIRD_CODE_QUEUED ||
                     line->code == BIRD_CODE_SHUTTING_DOWN;
        if (line->code == BIRD_CODE_UNCONFIRMED || (waits && loader->in_the_way == 0)) {
            loader->in_the_way = line->code;
        }
        return;
    }
    if (outcome == BIRD_CONFIG_ERROR || outcome == BIRD_SYNTAX) {
        snprintf(loader->message, sizeof loader->message, "%.*s", (int)sizeof loader->message - 1,
                 line->text);
    }
}

static void refuse(struct loader *loader, uint64_t now_ms)
{
    include_put(loader->include, loader->next_trusted);
    loader->retry_at_ms = now_ms + RETRY_MS;
    enter(loader, LOAD_REFUSED);
}

static void ask(struct loader *loader)
{
    enter(loader, LOAD_ASKING);
    loader->retry_at_ms = 0;
}

// Who can't tell won't configure either, and says why then.
static void under_way_end(struct loader *loader, uint64_t now_ms)
{
    if (loader->in_the_way == BIRD_CODE_UNCONFIRMED) {
        enter(loader, LOAD_UNCONFIRMED);
    } else if (loader->in_the_way != 0) {
        loader->retry_at_ms = now_ms + ASK_AGAIN_MS;
    } else {
        enter(loader, LOAD_CONFIGURING);
        loader->retry_at_ms = 0;
    }
}

// Is that the order that this state waits for?
static bool awaits(const struct loader *loader, enum order_kind kind)
{
    return kind == ORDER_CHECK       ? loader->state == LOAD_CHECKING
           : kind == ORDER_UNDER_WAY ? loader->state == LOAD_ASKING
                                     : loader->state == LOAD_CONFIGURING;
}

void loader_reply_end(struct loader *loader, enum order_kind kind, bool complete, unsigned code,
                      uint64_t now_ms)
{
    assert(kind == ORDER_CHECK || kind == ORDER_UNDER_WAY || kind == ORDER_CONFIGURE);
    if (!complete || !awaits(loader, kind)) {
        return;
    }
    if (kind == ORDER_UNDER_WAY) {
        under_way_end(loader, now_ms);
    } else if (bird_outcome(code) != BIRD_OK) {
        if (loader->message[0] == '\0') {
            snprintf(loader->message, sizeof loader->message, "BIRD answered %04u", code);
        }
        refuse(loader, now_ms);
    } else if (kind == ORDER_CHECK) {
        ask(loader);
    } else {
        // The revisions seen from now on decide; if ours does not come, the include line is
        // missing.
        loader->revision_known = false;
        loader->retry_at_ms = now_ms + SETTLE_MS;
        loader->configured = true;
    }
}

static void begin(struct loader *loader)
{
    include_put(loader->include, true);
    enter(loader, LOAD_SAVING);
}

static void step(struct loader *loader, struct orders *orders, uint64_t now_ms)
{
    if (is_loaded(loader)) {
        if (loader->state != LOAD_LOADED) {
            settle_on_next(loader);
        }
        return;
    }
    switch (loader->state) {
    case LOAD_WAITING:
    case LOAD_LOADED:
        if (loader->revision_known) {
            if (loader->automatic) {
                begin(loader);
            } else {
                include_put(loader->include, true);
                enter(loader, LOAD_BY_HAND);
            }
        }
        break;
    case LOAD_REFUSED:
        if (now_ms >= loader->retry_at_ms && loader->revision_known) {
            include_put(loader->include, true);
            loader->state = LOAD_SAVING; // keeps the message: the next refusal may be the same one
        }
        break;
    case LOAD_SAVING:
        if (include_is_saved(loader->include) && loader->revision_known &&
            orders_room(orders) > 0) {
            orders_put(orders, ORDER_LINK_ASK, false, order_token(ORDER_CHECK, 0, 0),
                       bird_configure_check());
            loader->state = LOAD_CHECKING;
            loader->retry_at_ms = UINT64_MAX;
        }
        break;
    case LOAD_ASKING:
        if (now_ms >= loader->retry_at_ms && include_is_saved(loader->include) &&
            orders_room(orders) > 0) {
            orders_put(orders, ORDER_LINK_ASK, false, order_token(ORDER_UNDER_WAY, 0, 0),
                       bird_configure_status());
            loader->retry_at_ms = UINT64_MAX;
            loader->in_the_way = 0;
        }
        break;
    case LOAD_CONFIGURING:
        if (loader->configured) {
            if (loader->revision_known && now_ms >= loader->retry_at_ms) {
                enter(loader, LOAD_NOT_INCLUDED);
            }
            break;
        }
        // What is on disk must be the present state at this instant: a withdrawal since then is
        // written first.
        if (loader->retry_at_ms == 0 && !include_is_saved(loader->include)) {
            ask(loader);
        } else if (loader->retry_at_ms == 0 && orders_room(orders) > 0) {
            orders_put(orders, ORDER_LINK_ASK, false, order_token(ORDER_CONFIGURE, 0, 0),
                       bird_configure());
            loader->retry_at_ms = UINT64_MAX;
        }
        break;
    case LOAD_CHECKING:
    case LOAD_NOT_INCLUDED:
    case LOAD_BY_HAND:
    case LOAD_UNCONFIRMED:
        break;
    }
}

bool loader_step(struct loader *loader, struct orders *orders, uint64_t now_ms)
{
    step(loader, orders, now_ms);
    bool changed = loader->state != loader->reported; // by this step, or by a reply since the last
    loader->reported = loader->state;
    return changed;
}

uint64_t loader_next_ms(const struct loader *loader)
{
    assert(!loader->configured || loader->state == LOAD_CONFIGURING);
    bool waits = loader->state == LOAD_REFUSED ||
                 (loader->state == LOAD_ASKING && loader->retry_at_ms != 0) ||
                 (loader->state == LOAD_CONFIGURING && loader->configured);
    return waits && loader->revision_known ? loader->retry_at_ms : UINT64_MAX;
}
