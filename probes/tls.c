// The `tls` probe: a handshake with its target, judged as a strict client would, and by what the
// operator asks of the certificate besides.
#include "probes/tls.h"

#include "probes/transfer.h"
#include "probes/types.h"

#include <stddef.h>
#include <stdio.h>

struct tls_probe_options {
    struct tls_options tls;
    char server_name[TRANSFER_HOST_MAX];
    struct tls_alpn alpn;
    int starttls; // enum transfer_starttls
};

struct state {
    time_t not_after; // first, see probe_not_after()
    struct probe *probe;
    struct transfer transfer;
    struct transfer_request request;
    struct tls_probe_options
        options; // copies: a reload may take the configuration away in mid-check
    struct endpoint target, source;
};

static const char *const starttls_words[] = {"off", "smtp", "imap", NULL};

#define FIELD(member) .offset = offsetof(struct tls_probe_options, member)

static const struct key tls_keys[] = {
    {.name = "server_name", .kind = KEY_WORD, FIELD(server_name), .size = TRANSFER_HOST_MAX},
    {.name = "alpn", .kind = KEY_CUSTOM, FIELD(alpn), .parse = tls_parse_alpn, .list = true},
    {.name = "starttls",
     .kind = KEY_CHOICE,
     FIELD(starttls),
     .choices = starttls_words,
     .fallback = "off"},
    TLS_KEYS(struct tls_probe_options, tls),
    KEY_END,
};

static int tls_check(const struct probe_conf *conf, char error[KEY_ERROR_MAX])
{
    const struct tls_probe_options *options = conf->options;
    for (const char *at = options->server_name; *at; at++) {
        if ((unsigned char)*at >= 0x80 || *at == '/' || *at == '@' || *at == ':' || *at == '[') {
            snprintf(error, KEY_ERROR_MAX,
                     "server_name \"%.80s\" is no host name; write it in ASCII (xn--...)",
                     options->server_name);
            return -1;
        }
    }
    return tls_options_check(&options->tls, error);
}

static void on_done(struct transfer *transfer)
{
    struct state *state = transfer->owner;
    struct finding finding = transfer->result;
    char what[TRANSFER_WHAT_MAX];
    if (transfer->peer.leaf.subject[0]) {
        state->not_after = transfer->peer.leaf.not_after;
    }
    if (finding.kind == VERDICT_PASS) {
        tls_peer_judge(&transfer->peer, time(NULL), &finding);
        probe_verdict(state->probe, finding.kind, finding.code, "%s: %s",
                      transfer_what(transfer, what), finding.cause);
    } else {
        probe_verdict(state->probe, finding.kind, finding.code, "%s", finding.cause);
    }
}

// ---- The probe type

static void tls_start(struct probe *probe)
{
    struct state *state = probe_state(probe);
    const struct tls_probe_options *options = &state->options;
    state->request = (struct transfer_request){
        .handshake = true,
        .target = &state->target,
        .source = &state->source,
        .tls = &options->tls,
        .server_name = options->server_name[0] ? options->server_name : NULL,
        .alpn = &options->alpn,
        .starttls = options->starttls,
    };
    transfer_start(&state->transfer, &state->request);
}

static const char *tls_cancel(struct probe *probe)
{
    struct state *state = probe_state(probe);
    return transfer_cancel(&state->transfer);
}

static int tls_open(struct probe *probe)
{
    struct state *state = probe_state(probe);
    const struct probe_conf *conf = probe_conf(probe);
    state->probe = probe;
    state->options = *(const struct tls_probe_options *)conf->options;
    state->target = conf->target;
    state->source = conf->source;
    state->transfer = (struct transfer){.owner = state, .on_done = on_done};
    return transfer_hub_acquire(probe_loop(probe), &state->transfer.hub);
}

static void tls_close(struct probe *probe)
{
    struct state *state = probe_state(probe);
    transfer_hub_release(state->transfer.hub);
    probe_closed(probe);
}

time_t probe_not_after(struct probe *probe)
{
    const struct probe_type *type = probe_conf(probe)->type;
    bool has_it = type == &probe_type_tls || type == &probe_type_http;
    return has_it ? *(const time_t *)probe_state(probe) : 0;
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
