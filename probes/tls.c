// The `tls` probe: a handshake with its target, judged as a strict client would, and by what the
// operator asks of the certificate besides.
#include "probes/probe.h"
#include "probes/transfer_verdict.h"
#include "probes/types.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define LABEL_MAX 63 // bytes (RFC 1035 section 2.3.4)

struct tls_probe_options {
    struct tls_options tls;
    char server_name[URL_HOST_MAX];
    struct tls_alpn alpn;
    int starttls; // enum transfer_starttls
};

struct state {
    struct probe *probe;
    struct transfer transfer;
};

static const char *const starttls_words[] = {"off", "smtp", "imap", NULL};

#define FIELD(member) .offset = offsetof(struct tls_probe_options, member)

static const struct key tls_keys[] = {
    {.name = "server_name", .kind = KEY_WORD, FIELD(server_name), .size = URL_HOST_MAX},
    {.name = "alpn", .kind = KEY_CUSTOM, FIELD(alpn), .parse = tls_parse_alpn, .list = true},
    {.name = "starttls",
     .kind = KEY_CHOICE,
     FIELD(starttls),
     .choices = starttls_words,
     .fallback = "off"},
    TLS_KEYS(struct tls_probe_options, tls),
    KEY_END,
};

// Letters, digits and hyphens between dots (RFC 952, 1123 section 2.1), and the underscore, which
// some have.
static bool is_host_name(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    for (;;) {
        size_t length = strspn(name, allowed);
        if (length == 0 || length > LABEL_MAX || name[0] == '-' || name[length - 1] == '-') {
            return false;
        }
        name += length;
        if (name[0] != '.' || name[1] == '\0') { // the last dot is of the root
            return name[0] == '\0' || name[0] == '.';
        }
        name++;
    }
}

static void tls_check(const struct probe_conf *conf, const struct probe_problems *problems)
{
    const struct tls_probe_options *options = conf->options;
    const char *name = options->server_name;
    char ignored[ERROR_MAX];
    struct endpoint address;
    if (name[0] && endpoint_parse(name, false, &address, ignored) == 0) {
        probe_problem(
            problems, true,
            "server_name \"%.80s\" is an address, which no client sends (RFC 6066 section "
            "3); without server_name the certificate must be for the target's address",
            name);
    } else if (name[0] && !is_host_name(name)) {
        probe_problem(problems, true,
                      "server_name \"%.80s\" is no host name; write it in ASCII (xn--...)", name);
    }
    tls_options_check(&options->tls, true, problems);
}

static void judge_handshake(const struct transfer *transfer, struct finding *out)
{
    tls_peer_judge(&transfer->peer, time(NULL), out);
}

static void on_done(struct transfer *transfer)
{
    struct state *state = transfer->owner;
    transfer_verdict(state->probe, transfer, judge_handshake);
}

// ---- The probe type

static void tls_start(struct probe *probe)
{
    struct state *state = probe_state(probe);
    const struct probe_conf *conf = probe_conf(probe);
    const struct tls_probe_options *options = conf->options;
    const struct transfer_request request = {
        .handshake = true,
        .target = &conf->target,
        .source = &conf->source,
        .tls = &options->tls,
        .server_name = options->server_name[0] ? options->server_name : NULL,
        .alpn = &options->alpn,
        .starttls = options->starttls,
    };
    transfer_start(&state->transfer, &request);
}

static struct awaited tls_cancel(struct probe *probe)
{
    struct state *state = probe_state(probe);
    return transfer_cancel(&state->transfer);
}

static int tls_open(struct probe *probe)
{
    struct state *state = probe_state(probe);
    state->probe = probe;
    state->transfer = (struct transfer){.owner = state, .on_done = on_done};
    return curl_loop_acquire(probe_loop(probe), &state->transfer.loop);
}

static void tls_close(struct probe *probe)
{
    struct state *state = probe_state(probe);
    transfer_close(&state->transfer);
    curl_loop_release(state->transfer.loop);
    probe_closed(probe);
}

const struct probe_type probe_type_tls = {
    .name = "tls",
    .keys = tls_keys,
    .options_size = sizeof(struct tls_probe_options),
    .needs_target = true,
    .check = tls_check,
    .state_size = sizeof(struct state),
    .open = tls_open,
    .close = tls_close,
    .start = tls_start,
    .cancel = tls_cancel,
    .watch = probe_watch_tcp,
};
