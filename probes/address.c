// The `address` probe: its addresses are configured on this host, each on an interface that is up.
// The kernel tells of each change, and the probe is triggered by it; nothing is polled.
//
// All probes of a loop share one netlink socket, the listener. An event that concerns an address of
// some probe, or an interface that goes up or down, has the listener ask for the whole list again,
// and so have lost events: what the probes know comes from whole lists only, so an address on two
// interfaces, or one that changed twice, needs no bookkeeping. Between them a check judges what is
// known.
#include "base/clock.h"
#include "probes/address_message.h"
#include "probes/netlink.h"
#include "probes/probe.h"
#include "probes/types.h"

#include <assert.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define ADDRESSES_MAX 64
#define LIST_NS       NS_PER_S // the kernel makes one in milliseconds

struct address_options {
    struct endpoint_list {
        size_t count;
        struct endpoint items[ADDRESSES_MAX];
    } addresses;
};

// Where an address was found, in the best state there is.
struct place {
    enum address_state state;
    unsigned interface; // index
};

struct state {
    struct probe *probe;
    struct state *next; // of the listener's
    struct listener *listener;
    bool checking;
    struct place listed[ADDRESSES_MAX]; // of the list that is coming in
    struct place known[ADDRESSES_MAX];  // of the last whole list
};

struct listener {
    struct netlink netlink;
    uv_loop_t *loop;
    struct listener *next;
    struct state *probes;
    bool known;        // a whole list has been read
    bool listing;      // a list is coming in
    uint64_t asked_ns; // for it
    bool again;        // something changed while it did
    int error;         // why there is no list to come; negative uv error
};

static struct listener *listeners; // one for each loop that has such probes

static const struct endpoint_list *addresses_of(const struct state *state)
{
    return &((const struct address_options *)probe_conf(state->probe)->options)->addresses;
}

// ---- Verdicts

static void judge(struct state *state)
{
    static const char *const words[] = {
        [ADDRESS_MISSING] = "not configured on this host",
        [ADDRESS_DOWN] = "configured on an interface that is down",
        [ADDRESS_FAILED] = "in use by another host (duplicate address detection failed)",
        [ADDRESS_TENTATIVE] = "tentative: duplicate address detection is under way",
        [ADDRESS_READY] = "ready",
    };
    const struct endpoint_list *addresses = addresses_of(state);
    char text[ENDPOINT_TEXT_MAX];
    size_t worst = 0;
    size_t bad = 0;
    for (size_t i = 0; i < addresses->count; i++) {
        bad += state->known[i].state != ADDRESS_READY;
        worst = state->known[i].state < state->known[worst].state ? i : worst;
    }
    state->checking = false;
    if (bad == 0) {
        probe_verdict(state->probe, VERDICT_PASS, "ok", "%zu address%s configured on this host",
                      addresses->count, addresses->count == 1 ? "" : "es");
        return;
    }
    const struct place *place = &state->known[worst];
    char name[IF_NAMESIZE];
    char interface[IF_NAMESIZE + 8] = "";
    char others[48] = "";
    if (place->state == ADDRESS_DOWN && if_indextoname(place->interface, name) != NULL) {
        snprintf(interface, sizeof interface, ": %s", name);
    }
    if (bad > 1) {
        snprintf(others, sizeof others, " (and %zu more are not ready)", bad - 1);
    }
    probe_verdict(state->probe, VERDICT_FAIL,
                  place->state <= ADDRESS_DOWN ? "no-address" : "address", "%s is %s%s%s",
                  endpoint_text(&addresses->items[worst], text), words[place->state], interface,
                  others);
}

static void fail_list(struct state *state, int error)
{
    state->checking = false;
    probe_verdict(state->probe, VERDICT_UNKNOWN, "local",
                  "ask the kernel for this host's addresses: %s (trouble of popgated's own)",
                  uv_strerror(error));
}

// ---- The listener

// A verdict may open and close probes, so the walk begins again after each.
static void answer_waiting(struct listener *listener)
{
    struct state *state = listener->probes;
    while (state != NULL) {
        if (!state->checking) {
            state = state->next;
            continue;
        }
        if (listener->error) {
            fail_list(state, listener->error);
        } else {
            judge(state);
        }
        state = listener->probes;
    }
}

static void ask(struct listener *listener)
{
    struct ifaddrmsg every = {.ifa_family = AF_UNSPEC};
    if (listener->listing) {
        listener->again = true;
        return;
    }
    for (struct state *state = listener->probes; state != NULL; state = state->next) {
        memset(state->listed, 0, sizeof state->listed); // ADDRESS_MISSING
    }
    listener->again = false;
    listener->asked_ns = uv_hrtime();
    listener->error = netlink_dump(&listener->netlink, RTM_GETADDR, &every, sizeof every);
    listener->listing = listener->error == 0;
    listener->known = listener->known && listener->listing;
}

static void list_complete(struct listener *listener, int error)
{
    listener->listing = false;
    if (listener->again) {
        ask(listener);
        return;
    }
    listener->error = error;
    listener->known = error == 0;
    for (struct state *state = listener->probes; state != NULL && listener->known;
         state = state->next) {
        bool changed = memcmp(state->known, state->listed, sizeof state->known) != 0;
        memcpy(state->known, state->listed, sizeof state->known);
        if (changed && !state->checking) {
            probe_trigger(state->probe);
        }
    }
    answer_waiting(listener);
}

// An interface that is gone by now is as good as down: the list is about to be asked for again.
static bool is_up(const struct listener *listener, unsigned interface)
{
    struct ifreq request = {.ifr_ifindex = (int)interface};
    return ioctl(listener->netlink.socket.fd, SIOCGIFNAME, &request) == 0 &&
           ioctl(listener->netlink.socket.fd, SIOCGIFFLAGS, &request) == 0 &&
           (request.ifr_flags & IFF_UP);
}

// Takes what a message of the list says.
static void take_listed(struct listener *listener, const struct nlmsghdr *message)
{
    for (struct state *state = listener->probes; state != NULL; state = state->next) {
        const struct endpoint_list *addresses = addresses_of(state);
        for (size_t i = 0; i < addresses->count; i++) {
            struct place said = {.state = address_in_message(message, &addresses->items[i])};
            if (said.state != ADDRESS_MISSING) {
                said.interface = ((const struct ifaddrmsg *)NLMSG_DATA(message))->ifa_index;
                said.state = is_up(listener, said.interface) ? said.state : ADDRESS_DOWN;
            }
            state->listed[i] = said.state > state->listed[i].state ? said : state->listed[i];
        }
    }
}

// An interface went up or down.
static bool is_switch(const struct nlmsghdr *message)
{
    const struct ifinfomsg *body = NLMSG_DATA(message);
    return message->nlmsg_type == RTM_NEWLINK && message->nlmsg_len >= NLMSG_LENGTH(sizeof *body) &&
           (body->ifi_change & IFF_UP);
}

static bool concerns_us(const struct listener *listener, const struct nlmsghdr *message)
{
    if (is_switch(message)) {
        return true;
    }
    for (const struct state *state = listener->probes; state != NULL; state = state->next) {
        const struct endpoint_list *addresses = addresses_of(state);
        for (size_t i = 0; i < addresses->count; i++) {
            if (address_in_message(message, &addresses->items[i]) != ADDRESS_MISSING) {
                return true;
            }
        }
    }
    return false;
}

static void on_message(struct netlink *netlink, const struct nlmsghdr *message)
{
    struct listener *listener = netlink->owner;
    bool listed = message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR ||
                  (message->nlmsg_flags & NLM_F_MULTI);
    if (listed && message->nlmsg_seq != netlink->asked) {
        return; // to none of our questions
    }
    // Interrupted: the kernel says that the list changed under it.
    listener->again = listener->again || (message->nlmsg_flags & NLM_F_DUMP_INTR);
    if (message->nlmsg_type == NLMSG_DONE) {
        list_complete(listener, 0);
    } else if (message->nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *body = NLMSG_DATA(message);
        bool whole = message->nlmsg_len >= NLMSG_LENGTH(sizeof *body);
        list_complete(listener, whole && body->error ? body->error : UV_EIO);
    } else if (message->nlmsg_flags & NLM_F_MULTI) {
        take_listed(listener, message);
    } else if (concerns_us(listener, message)) {
        ask(listener);
    }
}

// Only events are lost: the kernel goes on with a list when there is room again. Asking in the
// middle of one is refused, and the refusal itself would be lost.
static void on_lost(struct netlink *netlink)
{
    ask(netlink->owner);
}

static void on_free(struct netlink *netlink)
{
    free(netlink->owner);
}

static struct listener *listener_of(uv_loop_t *loop)
{
    struct listener *listener = listeners;
    while (listener != NULL && listener->loop != loop) {
        listener = listener->next;
    }
    return listener;
}

// NULL and a negative uv error in error.
static struct listener *listener_new(uv_loop_t *loop, int *error)
{
    static const struct netlink_events events = {on_message, on_lost, on_free};
    static const unsigned groups[] = {RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_LINK};
    struct listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL) {
        *error = UV_ENOMEM;
        return NULL;
    }
    listener->loop = loop;
    listener->netlink.owner = listener;
    listener->netlink.events = &events;
    *error = netlink_open(&listener->netlink, loop, NETLINK_ROUTE, groups,
                          sizeof groups / sizeof *groups);
    if (*error == 0) {
        listener->next = listeners;
        listeners = listener;
        return listener;
    }
    if (listener->netlink.socket.state == DESCRIPTOR_FREE) {
        free(listener);
    }
    return NULL;
}

static void listener_leave(struct state *state)
{
    struct listener *listener = state->listener;
    struct state **at = &listener->probes;
    while (*at != state) {
        at = &(*at)->next;
    }
    *at = state->next;
    if (listener->probes != NULL) {
        return;
    }
    struct listener **of_loop = &listeners;
    while (*of_loop != listener) {
        of_loop = &(*of_loop)->next;
    }
    *of_loop = listener->next;
    netlink_close(&listener->netlink);
}

// ---- The probe type

static int parse_address(const char *value, void *field, char error[ERROR_MAX])
{
    struct endpoint_list *addresses = field;
    if (addresses->count == ADDRESSES_MAX) {
        return error_say(error, "more than %d addresses", ADDRESSES_MAX);
    }
    if (endpoint_parse(value, false, &addresses->items[addresses->count], error) < 0) {
        return -1;
    }
    addresses->count++;
    return 0;
}

static const struct key address_keys[] = {
    {.name = "addresses",
     .kind = KEY_CUSTOM,
     .offset = offsetof(struct address_options, addresses),
     .parse = parse_address,
     .required = true,
     .list = true},
    KEY_END,
};

static int address_open(struct probe *probe)
{
    struct state *state = probe_state(probe);
    int error = 0;
    state->probe = probe;
    state->listener = listener_of(probe_loop(probe));
    if (state->listener == NULL) {
        state->listener = listener_new(probe_loop(probe), &error);
    }
    if (state->listener == NULL) {
        return error;
    }
    state->next = state->listener->probes;
    state->listener->probes = state;
    state->listener->known = false; // not of this probe's addresses
    ask(state->listener);
    return 0;
}

static void address_start(struct probe *probe)
{
    struct state *state = probe_state(probe);
    struct listener *listener = state->listener;
    state->checking = true;
    // A list that has not come by now was lost, and with it what it was asked for.
    if (listener->listing && uv_hrtime() - listener->asked_ns >= LIST_NS) {
        listener->listing = listener->known = false;
    }
    if (!listener->known && !listener->listing) {
        ask(listener);
    }
    if (listener->error) {
        fail_list(state, listener->error);
    } else if (listener->known) {
        judge(state);
    }
}

static struct awaited address_cancel(struct probe *probe)
{
    struct state *state = probe_state(probe);
    state->checking = false;
    return (struct awaited){"list of this host's addresses from the kernel", ALL_ITS_TIME};
}

static void address_close(struct probe *probe)
{
    struct state *state = probe_state(probe);
    state->checking = false;
    listener_leave(state);
    probe_closed(probe);
}

// With `watch = off` too: the events are what the type is about.
static unsigned address_watch(const struct probe_conf *conf)
{
    (void)conf;
    return PROBE_WATCH_ITSELF;
}

const struct probe_type probe_type_address = {
    .name = "address",
    .keys = address_keys,
    .options_size = sizeof(struct address_options),
    .state_size = sizeof(struct state),
    .open = address_open,
    .close = address_close,
    .start = address_start,
    .cancel = address_cancel,
    .watch = address_watch,
    .local = true,
};
