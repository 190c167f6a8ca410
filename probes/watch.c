#include "probes/watch.h"

#include "base/clock.h"
#include "probes/system_error.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define READS_MAX    16    // in one turn of the loop
#define RECEIVED_MAX 65536 // from a server that should be silent

#define STEADY_NS    (5 * NS_PER_S) // a connection that lasts so long is worth making again
#define PAUSE_NS     NS_PER_S
#define PAUSE_MAX_NS (60 * NS_PER_S)
#define HOME_NS      (10 * NS_PER_S) // addresses come and go

unsigned watch_wanted(const struct probe_conf *conf)
{
    return conf->watch && conf->type->watch != NULL ? conf->type->watch(conf) : 0;
}

// ---- The held connection

static void let_go(struct watch *watch, int error)
{
    watch->error = error;
    watch->lasted_ns = uv_hrtime() - watch->since_ns;
    watch->undecided = true;
    channel_close(&watch->channel);
}

// The first verdict after the end of a connection tells whether that was a crash. If it was, the
// next connection is welcome as soon as the server is back.
static void decide(struct watch *watch, enum verdict_kind kind, uint64_t now_ns)
{
    uint64_t doubled_ns = 2 * watch->pause_ns;
    watch->undecided = false;
    if (kind == VERDICT_FAIL || (watch->error == 0 && watch->lasted_ns >= STEADY_NS)) {
        watch->pause_ns = 0;
    } else if (watch->pause_ns == 0) {
        watch->pause_ns = PAUSE_NS;
    } else {
        watch->pause_ns = doubled_ns < PAUSE_MAX_NS ? doubled_ns : PAUSE_MAX_NS;
    }
    watch->again_ns = now_ns + watch->pause_ns;
}

// error: of the connection; 0: the server has ended it. Is it no reason of ours?
static bool ended(struct watch *watch, int error)
{
    bool ours = error != 0 && probe_error_is_ours(error);
    let_go(watch, ours ? error : 0);
    watch->ended = watch->ended || !ours;
    return !ours;
}

static void report_end(struct watch *watch, int error)
{
    if (ended(watch, error)) {
        watch->on_ended(watch->owner);
    }
}

static void on_event(struct channel *channel)
{
    struct watch *watch = channel->owner;
    char dropped[4096];
    int error = watch->connected ? 0 : channel_connected(channel);
    if (!watch->connected && error == 0) {
        watch->connected = true;
        error = descriptor_watch(&channel->socket, UV_READABLE);
    }
    for (int i = 0; error == 0 && i < READS_MAX; i++) {
        ssize_t length = channel_receive(channel, dropped, sizeof dropped);
        if (length == UV_EAGAIN) {
            return;
        }
        if (length == 0) {
            report_end(watch, 0);
            return;
        }
        error = length < 0 ? (int)length : 0;
        watch->received += length > 0 ? (size_t)length : 0;
    }
    if (error != 0) {
        report_end(watch, error);
    } else if (watch->received > RECEIVED_MAX) {
        let_go(watch, UV_EFBIG); // that is no idle connection
    }
}

static bool hold(struct watch *watch, const struct probe_conf *conf, uint64_t now_ns)
{
    struct endpoint address = conf->target;
    int error = conf->type->watch_address != NULL ? conf->type->watch_address(conf, &address) : 0;
    watch->connected = false;
    watch->received = 0;
    watch->since_ns = now_ns;
    watch->error = 0;
    error = error ? error
                  : channel_open(&watch->channel, watch->loop, SOCK_STREAM, &conf->source, &address,
                                 UV_WRITABLE);
    return error == 0 || !ended(watch, error);
}

// ---- Where a UDP target is

static void look_for(struct watch *watch, const struct probe_conf *conf, uint64_t now_ns)
{
    if (watch->looked_at_ns != 0 && now_ns - watch->looked_at_ns < HOME_NS) {
        return;
    }
    watch->looked_at_ns = now_ns;
    int at_home = socket_is_at_home(&conf->target);
    watch->elsewhere = at_home < 0 ? watch->elsewhere : at_home == 0;
}

static void on_channel_free(struct channel *channel)
{
    struct watch *watch = channel->owner;
    if (watch->closing) {
        watch->on_free(watch->owner);
    }
}

void watch_init(struct watch *watch, uv_loop_t *loop, void *owner, void (*on_ended)(void *owner),
                void (*on_free)(void *owner))
{
    *watch = (struct watch){.loop = loop, .owner = owner, .on_ended = on_ended, .on_free = on_free};
    watch->channel =
        (struct channel){.owner = watch, .on_event = on_event, .on_free = on_channel_free};
}

bool watch_verdict(struct watch *watch, const struct probe_conf *conf, enum verdict_kind kind,
                   uint64_t now_ns)
{
    bool serves = kind == VERDICT_PASS || kind == VERDICT_DEGRADED;
    watch->last = kind == VERDICT_UNKNOWN ? watch->last : kind;
    if (watch_wanted(conf) & PROBE_WATCH_UDP) {
        look_for(watch, conf, now_ns);
    }
    if (watch->undecided && kind != VERDICT_UNKNOWN) {
        decide(watch, kind, now_ns);
    }
    if (serves && watch->channel.socket.state == DESCRIPTOR_FREE && now_ns >= watch->again_ns &&
        (watch_wanted(conf) & PROBE_WATCH_TCP)) {
        return hold(watch, conf, now_ns);
    }
    return true;
}

bool watch_close(struct watch *watch)
{
    watch->closing = true;
    channel_close(&watch->channel);
    return watch->channel.socket.state != DESCRIPTOR_FREE;
}

// ---- Words

static const char *tcp_text(const struct watch *watch, char out[WATCH_TEXT_MAX])
{
    if (watch->channel.socket.state == DESCRIPTOR_OPEN) {
        snprintf(out, WATCH_TEXT_MAX, "tcp connection %s",
                 watch->connected ? "held" : "being made");
    } else if (watch->error == UV_EFBIG) {
        snprintf(out, WATCH_TEXT_MAX,
                 "not available: the server sends unasked on an idle connection");
    } else if (watch->error) {
        snprintf(out, WATCH_TEXT_MAX, "not available: tcp connection: %s",
                 uv_strerror(watch->error));
    } else if (watch->ended && watch->last == VERDICT_FAIL) {
        snprintf(out, WATCH_TEXT_MAX,
                 "not available: no tcp connection while the probe fails; held again once it "
                 "passes");
    } else if (watch->ended) {
        snprintf(out, WATCH_TEXT_MAX, "not available: the server ended the idle tcp connection");
    } else {
        snprintf(out, WATCH_TEXT_MAX, "not available: no tcp connection before the first pass");
    }
    return out;
}

static const char *udp_text(const struct watch *watch, const struct udp_watch *udp,
                            char out[WATCH_TEXT_MAX])
{
    if (watch->elsewhere) {
        snprintf(out, WATCH_TEXT_MAX, "not available: the target is not on this host");
    } else if (udp->confirmed) {
        snprintf(out, WATCH_TEXT_MAX, "kernel notifications");
    } else {
        snprintf(out, WATCH_TEXT_MAX, "not available: %s", udp->why);
    }
    return out;
}

const char *watch_text(const struct watch *watch, const struct probe_conf *conf,
                       const struct udp_watch *udp, char out[WATCH_TEXT_MAX])
{
    char tcp[WATCH_TEXT_MAX];
    unsigned wanted = watch_wanted(conf);
    if (wanted == (PROBE_WATCH_TCP | PROBE_WATCH_UDP)) {
        udp_text(watch, udp, out);
        size_t length = strlen(out);
        snprintf(out + length, WATCH_TEXT_MAX - length, ", %s", tcp_text(watch, tcp));
    } else if (wanted & PROBE_WATCH_TCP) {
        tcp_text(watch, out);
    } else if (wanted & PROBE_WATCH_UDP) {
        udp_text(watch, udp, out);
    } else if (wanted & PROBE_WATCH_ITSELF) {
        snprintf(out, WATCH_TEXT_MAX, "kernel notifications");
    } else if (conf->watch && conf->type->watch != NULL) {
        snprintf(out, WATCH_TEXT_MAX, "not available: the probe has no target");
    } else {
        snprintf(out, WATCH_TEXT_MAX, "off");
    }
    return out;
}
