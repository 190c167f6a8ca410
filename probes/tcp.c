// The `tcp` probe: connects to its target, and when told so sends some bytes and waits for others.
#include "base/text.h"
#include "probes/channel.h"
#include "probes/probe.h"
#include "probes/types.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define PATTERN_MAX 512
#define ANSWER_MAX  4096 // bytes that are searched for `expect`
#define SHOWN_MAX   64

struct tcp_pattern {
    size_t length; // 0: not asked for
    uint8_t bytes[PATTERN_MAX];
};

struct tcp_options {
    struct tcp_pattern send, expect;
};

struct state {
    struct probe *probe;
    struct channel channel;
    bool waiting; // to start, until the channel is free
    bool connected, closing;
    size_t sent, received;
    char awaited[VERDICT_CAUSE_MAX];
    uint8_t answer[ANSWER_MAX];
};

// ---- Keys

// One byte, escaped as in C or not; returns what follows it, or NULL.
static const char *parse_byte(const char *at, uint8_t *out)
{
    static const char letters[] = "rnt0\\\"";
    static const char values[] = "\r\n\t\0\\\"";
    if (*at != '\\') {
        *out = (uint8_t)*at;
        return at + 1;
    }
    at++;
    const char *letter = *at ? strchr(letters, *at) : NULL;
    if (letter != NULL) {
        *out = (uint8_t)values[letter - letters];
        return at + 1;
    }
    int high = *at == 'x' ? text_hex_digit(at[1]) : -1;
    int low = high < 0 ? -1 : text_hex_digit(at[2]);
    if (low < 0) {
        return NULL;
    }
    *out = (uint8_t)(high << 4 | low);
    return at + 3;
}

static int parse_pattern(const char *value, void *field, char error[ERROR_MAX])
{
    struct tcp_pattern pattern = {.length = 0};
    for (const char *at = value; *at;) {
        if (pattern.length == sizeof pattern.bytes) {
            return error_say(error, "more than %d bytes", PATTERN_MAX);
        }
        at = parse_byte(at, &pattern.bytes[pattern.length++]);
        if (at == NULL) {
            return error_say(
                error,
                "\"%.80s\": after a backslash there is r, n, t, 0, a quote, a backslash, or x "
                "with two hex digits",
                value);
        }
    }
    *(struct tcp_pattern *)field = pattern;
    return 0;
}

static const struct key tcp_keys[] = {
    {.name = "send",
     .kind = KEY_CUSTOM,
     .offset = offsetof(struct tcp_options, send),
     .parse = parse_pattern},
    {.name = "expect",
     .kind = KEY_CUSTOM,
     .offset = offsetof(struct tcp_options, expect),
     .parse = parse_pattern},
    KEY_END,
};

// ---- Words

// The bytes as parse_pattern() reads them, as many as fit.
static const char *pattern_text(const uint8_t *bytes, size_t length, char out[SHOWN_MAX])
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < length && at + sizeof "\\x00" < SHOWN_MAX; i++) {
        bool plain = isprint(bytes[i]) && bytes[i] != '\\';
        int wrote = snprintf(out + at, SHOWN_MAX - at, plain ? "%c" : "\\x%02x", bytes[i]);
        at += (size_t)wrote;
    }
    return out;
}

static const char *target_text(const struct state *state, char out[ENDPOINT_TEXT_MAX])
{
    return endpoint_text(&probe_conf(state->probe)->target, out);
}

// ---- Ends of a check; the verdict is always the last thing that is done.

static void stop(struct state *state)
{
    state->waiting = false;
    channel_close(&state->channel);
}

static void fail_error(struct state *state, int error)
{
    char target[ENDPOINT_TEXT_MAX];
    char attempted[128];
    stop(state);
    if (error == UV_ECONNREFUSED) {
        probe_verdict(state->probe, VERDICT_FAIL, "refused",
                      "connect to %s: nothing listens there (connection refused)",
                      target_text(state, target));
        return;
    }
    snprintf(attempted, sizeof attempted, "%s %s",
             state->connected ? "talk over TCP to" : "connect to", target_text(state, target));
    probe_error(state->probe, error, attempted);
}

// The answer is complete, and what is expected was not in it.
static void fail_expected(struct state *state, const char *code, const char *how)
{
    const struct tcp_options *options = probe_conf(state->probe)->options;
    char target[ENDPOINT_TEXT_MAX];
    char expected[SHOWN_MAX];
    char got[SHOWN_MAX];
    stop(state);
    probe_verdict(state->probe, VERDICT_FAIL, code, "%s %s without the expected \"%s\"; got \"%s\"",
                  target_text(state, target), how,
                  pattern_text(options->expect.bytes, options->expect.length, expected),
                  pattern_text(state->answer, state->received, got));
}

static void pass(struct state *state, const char *what)
{
    char target[ENDPOINT_TEXT_MAX];
    stop(state);
    probe_verdict(state->probe, VERDICT_PASS, "ok", "%s: %s", target_text(state, target), what);
}

// ---- The conversation

// Sends what is left; false if the check is over, or if there is still something left.
static bool send_rest(struct state *state, const struct tcp_pattern *pattern)
{
    ssize_t sent =
        channel_send(&state->channel, pattern->bytes + state->sent, pattern->length - state->sent);
    if (sent < 0 && sent != UV_EAGAIN) {
        fail_error(state, (int)sent);
        return false;
    }
    state->sent += sent > 0 ? (size_t)sent : 0;
    return state->sent == pattern->length;
}

static void receive(struct state *state, const struct tcp_pattern *expect)
{
    while (state->received < sizeof state->answer) {
        ssize_t length = channel_receive(&state->channel, state->answer + state->received,
                                         sizeof state->answer - state->received);
        if (length == UV_EAGAIN) {
            return;
        }
        if (length == 0) {
            fail_expected(state, "closed", "closed the connection");
            return;
        }
        if (length < 0) {
            fail_error(state, (int)length);
            return;
        }
        state->received += (size_t)length;
        if (memmem(state->answer, state->received, expect->bytes, expect->length) != NULL) {
            pass(state, "connected, and the answer is as expected");
            return;
        }
    }
    fail_expected(state, "answer", "sent 4096 bytes");
}

static void on_event(struct channel *channel)
{
    struct state *state = channel->owner;
    const struct tcp_options *options = probe_conf(state->probe)->options;
    if (!state->connected) {
        int error = channel_connected(channel);
        if (error) {
            fail_error(state, error);
            return;
        }
        state->connected = true;
    }
    if (state->sent < options->send.length && !send_rest(state, &options->send)) {
        return;
    }
    if (options->expect.length == 0) {
        pass(state, options->send.length ? "connected and sent" : "connected");
        return;
    }
    int error = descriptor_watch(&channel->socket, UV_READABLE);
    if (error) {
        fail_error(state, error);
        return;
    }
    receive(state, &options->expect);
}

// ---- The probe type

static void tcp_start(struct probe *probe)
{
    struct state *state = probe_state(probe);
    const struct probe_conf *conf = probe_conf(probe);
    state->waiting = state->channel.socket.state != DESCRIPTOR_FREE;
    if (state->waiting) {
        return;
    }
    state->connected = false;
    state->sent = state->received = 0;
    int error = channel_open(&state->channel, probe_loop(probe), SOCK_STREAM, &conf->source,
                             &conf->target, UV_WRITABLE);
    if (error) {
        fail_error(state, error);
    }
}

static struct awaited tcp_cancel(struct probe *probe)
{
    struct state *state = probe_state(probe);
    const struct tcp_options *options = probe_conf(probe)->options;
    char target[ENDPOINT_TEXT_MAX];
    char expected[SHOWN_MAX];
    char got[SHOWN_MAX];
    target_text(state, target);
    if (!state->connected) {
        snprintf(state->awaited, sizeof state->awaited, "TCP connection to %s", target);
    } else if (state->sent < options->send.length) {
        snprintf(state->awaited, sizeof state->awaited, "room to send to %s", target);
    } else {
        snprintf(state->awaited, sizeof state->awaited, "\"%s\" in the answer of %s (got \"%s\")",
                 pattern_text(options->expect.bytes, options->expect.length, expected), target,
                 pattern_text(state->answer, state->received, got));
    }
    stop(state);
    return (struct awaited){state->awaited, 0};
}

static void on_channel_free(struct channel *channel)
{
    struct state *state = channel->owner;
    if (state->closing) {
        probe_closed(state->probe);
    } else if (state->waiting) {
        tcp_start(state->probe);
    }
}

static int tcp_open(struct probe *probe)
{
    struct state *state = probe_state(probe);
    state->probe = probe;
    state->channel =
        (struct channel){.owner = state, .on_event = on_event, .on_free = on_channel_free};
    return 0;
}

static void tcp_close(struct probe *probe)
{
    struct state *state = probe_state(probe);
    stop(state);
    state->closing = true;
    if (state->channel.socket.state == DESCRIPTOR_FREE) {
        probe_closed(probe);
    }
}

const struct probe_type probe_type_tcp = {
    .name = "tcp",
    .keys = tcp_keys,
    .options_size = sizeof(struct tcp_options),
    .needs_target = true,
    .state_size = sizeof(struct state),
    .open = tcp_open,
    .close = tcp_close,
    .start = tcp_start,
    .cancel = tcp_cancel,
    .watch = probe_watch_tcp,
};
