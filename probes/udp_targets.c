// See udp_targets.h.
#include "probes/udp_targets.h"

#include "base/clock.h"
#include "probes/probe.h"

#include <stdlib.h>

#define RETRY_NS (10 * NS_PER_S)

// ---- What the kernel says

// The first target of this port or a higher one.
static size_t first_of(const struct udp_targets *targets, uint16_t port)
{
    size_t low = 0;
    size_t high = targets->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (endpoint_port(targets->items[middle].endpoint) < port) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void on_catch_up(uv_timer_t *timer);

// Some words were missed, so every server may be gone. Not more often than each second: what is
// missed meanwhile is caught up at its end.
static void trigger_all(struct udp_targets *targets)
{
    uint64_t now_ns = uv_hrtime();
    if (targets->lost_ns != 0 && now_ns - targets->lost_ns < NS_PER_S) {
        uint64_t left_ns = targets->lost_ns + NS_PER_S - now_ns;
        uv_update_time(targets->loop);
        uv_timer_start(&targets->catch_up, on_catch_up, left_ns / NS_PER_MS + 1, 0);
        return;
    }
    targets->lost_ns = now_ns;
    for (size_t i = 0; i < targets->count; i++) {
        probe_trigger(targets->items[i].probe);
    }
}

static void on_catch_up(uv_timer_t *timer)
{
    trigger_all(timer->data);
}

static void on_gone(void *owner, const struct endpoint *gone)
{
    struct udp_targets *targets = owner;
    if (gone == NULL) {
        trigger_all(targets);
        return;
    }
    for (size_t i = first_of(targets, endpoint_port(gone));
         i < targets->count && endpoint_port(targets->items[i].endpoint) == endpoint_port(gone);
         i++) {
        if (udp_watch_concerns(gone, targets->items[i].endpoint)) {
            probe_trigger(targets->items[i].probe);
        }
    }
}

// ---- The watch: open while there is a target

static void on_watch_free(void *owner)
{
    struct udp_targets *targets = owner;
    if (targets->closing && targets->timer_gone) {
        targets->on_free(targets->owner);
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct udp_targets *targets = handle->data;
    targets->timer_gone = true;
    if (targets->watch.netlink.socket.state == DESCRIPTOR_FREE) {
        targets->on_free(targets->owner);
    }
}

// Each port once, as many as fit.
static size_t list_ports(const struct udp_targets *targets, uint16_t *ports, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < targets->count && count < size; i++) {
        uint16_t port = endpoint_port(targets->items[i].endpoint);
        if (count == 0 || ports[count - 1] != port) {
            ports[count++] = port;
        }
    }
    return count;
}

// Opens, narrows or closes the watch.
static void keep(struct udp_targets *targets)
{
    uint16_t ports[UDP_WATCH_PORTS_MAX + 1];
    if (targets->count == 0) {
        udp_watch_close(&targets->watch);
        return;
    }
    if (targets->watch.netlink.socket.state == DESCRIPTOR_FREE) {
        targets->tried_ns = uv_hrtime();
        udp_watch_open(&targets->watch, targets->loop);
    }
    udp_watch_ports(&targets->watch, ports,
                    list_ports(targets, ports, sizeof ports / sizeof *ports));
}

void udp_targets_init(struct udp_targets *targets, uv_loop_t *loop, void *owner,
                      void (*on_free)(void *owner))
{
    *targets = (struct udp_targets){
        .loop = loop,
        .watch = {.owner = targets, .on_gone = on_gone, .on_free = on_watch_free},
        .owner = owner,
        .on_free = on_free,
    };
    uv_timer_init(loop, &targets->catch_up);
    targets->catch_up.data = targets;
    uv_unref((uv_handle_t *)&targets->catch_up);
}

static int by_port(const void *a, const void *b)
{
    uint16_t left = endpoint_port(((const struct udp_target *)a)->endpoint);
    uint16_t right = endpoint_port(((const struct udp_target *)b)->endpoint);
    return left < right ? -1 : left > right;
}

void udp_targets_set(struct udp_targets *targets, struct udp_target *items, size_t count)
{
    free(targets->items);
    targets->items = items;
    targets->count = count;
    if (count > 0) {
        qsort(items, count, sizeof *items, by_port);
    }
    keep(targets);
}

void udp_targets_retry(struct udp_targets *targets, uint64_t now_ns)
{
    if (targets->count == 0 || targets->watch.confirmed || targets->closing ||
        now_ns - targets->tried_ns < RETRY_NS) {
        return;
    }
    if (targets->watch.netlink.socket.state == DESCRIPTOR_OPEN) {
        udp_watch_close(&targets->watch); // opened at the next call
    } else {
        keep(targets);
    }
}

void udp_targets_close(struct udp_targets *targets)
{
    targets->closing = true;
    free(targets->items);
    targets->items = NULL;
    targets->count = 0;
    udp_watch_close(&targets->watch);
    uv_close((uv_handle_t *)&targets->catch_up, on_timer_closed);
}
