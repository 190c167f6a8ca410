// The `dns` probe: carries a query to its target over UDP, TCP or both, and believes only what
// answers it. Over UDP a lost packet is sent again inside of the timeout; a truncated answer is
// asked for again over TCP. Each check has a fresh socket, so a fresh source port.
#include "base/bytes.h"
#include "probes/channel.h"
#include "probes/dns_query.h"
#include "probes/probe.h"
#include "probes/types.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define UDP_TRIES       3
#define UDP_ANSWER_MAX  4096
#define RECEIVES_MAX    16 // in one turn of the loop
#define IGNORED_MAX     64 // messages over TCP, where only the server can have sent them
#define FRAME_HEAD      2  // a message's length over TCP (RFC 1035 section 4.2.2)
#define DESCRIPTION_MAX 320

// One query over one transport.
struct exchange {
    struct channel channel;
    bool wanted, done;
    struct dns_query query;
    unsigned tries; // UDP: how often it was sent
    bool renewed;   // UDP: with another cookie, after BADCOOKIE
    unsigned ignored_count;
    char ignored[64]; // what the last message was that did not answer
    bool connected;   // TCP
    size_t sent, received;
};

#define ANSWER_SIZE (FRAME_HEAD + DNS_MESSAGE_MAX)

struct state {
    struct probe *probe;
    struct exchange udp, tcp;
    uv_timer_t retry;
    bool waiting;   // to start, until both channels are free
    bool truncated; // the UDP answer was, and TCP is asked because of it
    struct dns_cookie cookie;
    bool closing, retry_closed;
    char awaited[VERDICT_CAUSE_MAX];
    // Over TCP, as it comes in; ANSWER_SIZE bytes. Apart, so that what no answer has ever filled is
    // no memory in use: a thousand probes have 64 MiB of it.
    uint8_t *answer;
};

static const struct dns_options *options_of(const struct state *state)
{
    return probe_conf(state->probe)->options;
}

// "UDP query id.server CH TXT to 192.0.2.53:53".
static const char *describe(const struct state *state, const char *transport,
                            char out[DESCRIPTION_MAX])
{
    char target[ENDPOINT_TEXT_MAX];
    char query[DNS_QUERY_TEXT_MAX];
    snprintf(out, DESCRIPTION_MAX, "%s query %s to %s", transport,
             dns_query_text(options_of(state), query),
             endpoint_text(&probe_conf(state->probe)->target, target));
    return out;
}

static const char *transport_of(const struct state *state, const struct exchange *exchange)
{
    return exchange == &state->udp ? "UDP" : state->truncated ? "TCP (UDP truncated)" : "TCP";
}

// ---- Ends of a check; the verdict is always the last thing that is done.

static void stop(struct state *state)
{
    state->waiting = false;
    uv_timer_stop(&state->retry);
    channel_close(&state->udp.channel);
    channel_close(&state->tcp.channel);
}

static void fail(struct state *state, const struct exchange *exchange, const char *code,
                 const char *cause)
{
    char description[DESCRIPTION_MAX];
    stop(state);
    probe_verdict(state->probe, VERDICT_FAIL, code, "%s: %s",
                  describe(state, transport_of(state, exchange), description), cause);
}

static void fail_error(struct state *state, const struct exchange *exchange, int error)
{
    char description[DESCRIPTION_MAX];
    if (error == UV_ECONNREFUSED) {
        fail(state, exchange, "refused",
             exchange == &state->udp ? "nothing listens there (port unreachable)"
                                     : "nothing listens there (connection refused)");
        return;
    }
    stop(state);
    probe_error(state->probe, error, describe(state, transport_of(state, exchange), description));
}

static void start_tcp(struct state *state);

static void leave(struct state *state, struct exchange *exchange)
{
    exchange->done = true;
    channel_close(&exchange->channel);
    if (exchange == &state->udp) {
        uv_timer_stop(&state->retry);
    }
}

static void exchange_done(struct state *state, struct exchange *exchange,
                          const struct dns_judgement *judgement)
{
    char description[DESCRIPTION_MAX];
    bool both = state->udp.wanted && state->tcp.wanted && !state->truncated;
    leave(state, exchange);
    if ((state->udp.wanted && !state->udp.done) || (state->tcp.wanted && !state->tcp.done)) {
        return;
    }
    const char *transport = both ? "UDP and TCP" : transport_of(state, exchange);
    stop(state);
    probe_verdict(state->probe, VERDICT_PASS, judgement->code, "%s: %s",
                  describe(state, transport, description), judgement->cause);
}

// Over TCP there is nothing to fall over to: a truncated answer is as good as none.
static void ask_again(struct state *state, struct exchange *exchange,
                      const struct dns_judgement *judgement)
{
    static const struct dns_judgement right_over_tcp = {
        .kind = DNS_RIGHT, .code = "ok", .cause = "right over TCP, truncated over UDP"};
    if (exchange == &state->tcp) {
        fail(state, exchange, judgement->code, judgement->cause);
        return;
    }
    if (state->tcp.wanted) {
        exchange_done(state, exchange, &right_over_tcp);
        return;
    }
    leave(state, exchange);
    state->truncated = true;
    start_tcp(state);
}

static void send_udp(struct state *state);

// Once with the cookie that the server has just given, then over TCP, where none is needed (RFC
// 7873 section 5.3). Whether the exchange goes on.
static bool renew(struct state *state, struct exchange *exchange,
                  const struct dns_judgement *judgement)
{
    if (exchange->renewed && state->tcp.wanted) {
        fail(state, exchange, judgement->code, judgement->cause);
        return false;
    }
    if (exchange == &state->tcp || exchange->renewed) {
        ask_again(state, exchange, judgement);
        return false;
    }
    exchange->renewed = true;
    dns_query_make(options_of(state), &state->cookie, &exchange->query);
    send_udp(state);
    return !exchange->done && exchange->channel.socket.state == DESCRIPTOR_OPEN;
}

// Whether the exchange goes on.
static bool take_message(struct state *state, struct exchange *exchange, const uint8_t *message,
                         size_t length)
{
    struct dns_judgement judgement;
    dns_judge(options_of(state), &exchange->query, message, length, &judgement);
    if (judgement.cookie.length > 0) {
        state->cookie = judgement.cookie;
    }
    if (judgement.kind == DNS_FORGED && exchange == &state->tcp) {
        fail(state, exchange, judgement.code, judgement.cause);
        return false;
    }
    switch (judgement.kind) {
    case DNS_FORGED:
    case DNS_IGNORED:
        exchange->ignored_count++;
        snprintf(exchange->ignored, sizeof exchange->ignored, "%.63s", judgement.cause);
        if (exchange == &state->tcp && exchange->ignored_count > IGNORED_MAX) {
            fail(state, exchange, "malformed", "the server sends messages that answer nothing");
            return false;
        }
        return true;
    case DNS_TRUNCATED:
        ask_again(state, exchange, &judgement);
        return false;
    case DNS_COOKIE:
        return renew(state, exchange, &judgement);
    case DNS_WRONG:
        fail(state, exchange, judgement.code, judgement.cause);
        return false;
    case DNS_RIGHT:
        exchange_done(state, exchange, &judgement);
        return false;
    }
    return false;
}

// ---- UDP

static void send_udp(struct state *state)
{
    struct exchange *udp = &state->udp;
    ssize_t sent = channel_send(&udp->channel, udp->query.message, udp->query.length);
    udp->tries++;
    if (sent < 0 && sent != UV_EAGAIN) {
        fail_error(state, udp, (int)sent);
    }
}

static void on_retry(uv_timer_t *timer)
{
    struct state *state = timer->data;
    if (state->udp.tries == UDP_TRIES) {
        uv_timer_stop(timer);
        return;
    }
    send_udp(state);
}

static void on_udp(struct channel *channel)
{
    struct state *state = channel->owner;
    uint8_t message[UDP_ANSWER_MAX];
    for (int i = 0; i < RECEIVES_MAX; i++) {
        ssize_t length = channel_receive(channel, message, sizeof message);
        if (length == UV_EAGAIN) {
            return;
        }
        if (length < 0) {
            fail_error(state, &state->udp, (int)length);
            return;
        }
        if (!take_message(state, &state->udp, message, (size_t)length)) {
            return;
        }
    }
}

static void start_udp(struct state *state)
{
    const struct probe_conf *conf = probe_conf(state->probe);
    uint64_t pause_ms = conf->timeout_ms / UDP_TRIES + 1;
    state->udp.wanted = true;
    int error = channel_open(&state->udp.channel, probe_loop(state->probe), SOCK_DGRAM,
                             &conf->source, &conf->target, UV_READABLE);
    if (error) {
        fail_error(state, &state->udp, error);
        return;
    }
    uv_timer_start(&state->retry, on_retry, pause_ms, pause_ms);
    send_udp(state);
}

// ---- TCP

// Sends what is left of the query; false if the check is over.
static bool send_tcp(struct state *state)
{
    struct exchange *tcp = &state->tcp;
    uint8_t frame[FRAME_HEAD + DNS_QUERY_MAX];
    size_t length = FRAME_HEAD + tcp->query.length;
    put_u16(frame, (uint16_t)tcp->query.length);
    memcpy(frame + FRAME_HEAD, tcp->query.message, tcp->query.length);
    ssize_t sent = channel_send(&tcp->channel, frame + tcp->sent, length - tcp->sent);
    if (sent < 0 && sent != UV_EAGAIN) {
        fail_error(state, tcp, (int)sent);
        return false;
    }
    tcp->sent += sent > 0 ? (size_t)sent : 0;
    int events = tcp->sent < length ? UV_WRITABLE | UV_READABLE : UV_READABLE;
    int error = descriptor_watch(&tcp->channel.socket, events);
    if (error) {
        fail_error(state, tcp, error);
    }
    return error == 0;
}

static void fail_closed(struct state *state)
{
    char cause[128];
    snprintf(cause, sizeof cause, "the server closed the connection before it answered (%zu bytes)",
             state->tcp.received);
    fail(state, &state->tcp, "closed", cause);
}

// Takes the whole messages that have come in; false if the check's TCP part is over.
static bool take_frames(struct state *state)
{
    struct exchange *tcp = &state->tcp;
    size_t at = 0;
    while (tcp->received - at >= FRAME_HEAD) {
        const uint8_t *frame = state->answer + at;
        size_t length = get_u16(frame);
        if (tcp->received - at < FRAME_HEAD + length) {
            break;
        }
        if (!take_message(state, tcp, frame + FRAME_HEAD, length)) {
            return false;
        }
        at += FRAME_HEAD + length;
    }
    tcp->received -= at;
    memmove(state->answer, state->answer + at, tcp->received);
    return true;
}

static void receive_tcp(struct state *state)
{
    struct exchange *tcp = &state->tcp;
    for (int i = 0; i < RECEIVES_MAX; i++) {
        ssize_t length = channel_receive(&tcp->channel, state->answer + tcp->received,
                                         ANSWER_SIZE - tcp->received);
        if (length == UV_EAGAIN) {
            return;
        }
        if (length == 0) {
            fail_closed(state);
            return;
        }
        if (length < 0) {
            fail_error(state, tcp, (int)length);
            return;
        }
        tcp->received += (size_t)length;
        if (!take_frames(state)) {
            return;
        }
    }
}

static void on_tcp(struct channel *channel)
{
    struct state *state = channel->owner;
    struct exchange *tcp = &state->tcp;
    if (!tcp->connected) {
        int error = channel_connected(channel);
        if (error) {
            fail_error(state, tcp, error);
            return;
        }
        tcp->connected = true;
    }
    if (tcp->sent < FRAME_HEAD + tcp->query.length && !send_tcp(state)) {
        return;
    }
    receive_tcp(state);
}

static void start_tcp(struct state *state)
{
    const struct probe_conf *conf = probe_conf(state->probe);
    state->tcp.wanted = true;
    int error = channel_open(&state->tcp.channel, probe_loop(state->probe), SOCK_STREAM,
                             &conf->source, &conf->target, UV_WRITABLE);
    if (error) {
        fail_error(state, &state->tcp, error);
    }
}

// ---- The probe type

// What a check changes, as it begins; the channel stays.
static void exchange_reset(struct state *state, struct exchange *exchange)
{
    exchange->wanted = exchange->done = exchange->connected = false;
    exchange->tries = exchange->ignored_count = 0;
    exchange->renewed = false;
    exchange->sent = exchange->received = 0;
    dns_query_make(options_of(state), &state->cookie, &exchange->query);
}

static bool channels_free(const struct state *state)
{
    return state->udp.channel.socket.state == DESCRIPTOR_FREE &&
           state->tcp.channel.socket.state == DESCRIPTOR_FREE;
}

static void dns_start(struct probe *probe)
{
    struct state *state = probe_state(probe);
    state->waiting = !channels_free(state);
    if (state->waiting) {
        return;
    }
    state->truncated = false;
    exchange_reset(state, &state->udp);
    exchange_reset(state, &state->tcp);
    int protocol = options_of(state)->protocol;
    // Both are wanted before either starts, since either may end the check at once.
    state->udp.wanted = protocol != DNS_PROTOCOL_TCP;
    state->tcp.wanted = protocol != DNS_PROTOCOL_UDP;
    if (state->tcp.wanted) {
        start_tcp(state);
    }
    if (state->udp.wanted &&
        (!state->tcp.wanted || state->tcp.channel.socket.state == DESCRIPTOR_OPEN)) {
        start_udp(state);
    }
}

static struct awaited dns_cancel(struct probe *probe)
{
    struct state *state = probe_state(probe);
    char description[DESCRIPTION_MAX];
    char details[128] = "";
    bool udp = state->udp.wanted && !state->udp.done;
    bool tcp = state->tcp.wanted && !state->tcp.done;
    const struct exchange *exchange = udp ? &state->udp : &state->tcp;
    const char *transport = udp && tcp ? "UDP and TCP" : transport_of(state, exchange);
    int length = udp ? snprintf(details, sizeof details, " (%u tries)", state->udp.tries) : 0;
    if (exchange->ignored_count > 0) {
        snprintf(details + length, sizeof details - (size_t)length,
                 " (%u messages ignored, the last was %s)", exchange->ignored_count,
                 exchange->ignored);
    }
    snprintf(state->awaited, sizeof state->awaited, "%s %s%s",
             tcp && !udp && !state->tcp.connected ? "connection for" : "answer to",
             describe(state, transport, description), details);
    stop(state);
    return (struct awaited){state->awaited, 0};
}

static void close_if_done(struct state *state)
{
    if (state->retry_closed && channels_free(state)) {
        free(state->answer);
        probe_closed(state->probe);
    }
}

static void on_retry_closed(uv_handle_t *handle)
{
    struct state *state = handle->data;
    state->retry_closed = true;
    close_if_done(state);
}

static void on_channel_free(struct channel *channel)
{
    struct state *state = channel->owner;
    if (state->closing) {
        close_if_done(state);
    } else if (state->waiting) {
        dns_start(state->probe);
    }
}

static int dns_open(struct probe *probe)
{
    struct state *state = probe_state(probe);
    state->probe = probe;
    state->udp.channel =
        (struct channel){.owner = state, .on_event = on_udp, .on_free = on_channel_free};
    state->tcp.channel =
        (struct channel){.owner = state, .on_event = on_tcp, .on_free = on_channel_free};
    state->retry.data = state;
    dns_cookie_make(&state->cookie);
    state->answer = malloc(ANSWER_SIZE);
    if (state->answer == NULL) {
        return UV_ENOMEM;
    }
    int error = uv_timer_init(probe_loop(probe), &state->retry);
    if (error) {
        free(state->answer);
    }
    return error;
}

static void dns_close(struct probe *probe)
{
    struct state *state = probe_state(probe);
    stop(state);
    state->closing = true;
    uv_close((uv_handle_t *)&state->retry, on_retry_closed);
}

static unsigned dns_watch(const struct probe_conf *conf)
{
    static const unsigned kinds[] = {
        [DNS_PROTOCOL_UDP] = PROBE_WATCH_UDP,
        [DNS_PROTOCOL_TCP] = PROBE_WATCH_TCP,
        [DNS_PROTOCOL_BOTH] = PROBE_WATCH_UDP | PROBE_WATCH_TCP,
    };
    return kinds[((const struct dns_options *)conf->options)->protocol];
}

const struct probe_type probe_type_dns = {
    .name = "dns",
    .keys = dns_keys,
    .options_size = sizeof(struct dns_options),
    .needs_target = true,
    .check = dns_options_check,
    .state_size = sizeof(struct state),
    .open = dns_open,
    .close = dns_close,
    .start = dns_start,
    .cancel = dns_cancel,
    .watch = dns_watch,
};
