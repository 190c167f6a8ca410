// What a `token` probe is configured to do: its keys, whether they go together, and whom it asks
// where. Pure.
#pragma once

#include "probes/conf.h"
#include "probes/jwt.h"
#include "probes/tls_peer.h"
#include "probes/url.h"

enum client_auth { CLIENT_AUTH_BASIC, CLIENT_AUTH_POST };

struct token_options {
    struct tls_options tls;
    struct jwt_rules rules;
    char token_url[URL_MAX], jwks_url[URL_MAX];
    char introspection_url[URL_MAX], protected_url[URL_MAX];
    struct endpoint jwks_target, protected_target; // length 0: as the probe's target
    uint64_t jwks_max_age_ms;
    char client_id[KEY_TEXT_MAX], scope[KEY_TEXT_MAX];
    char secret_file[KEY_TEXT_MAX], secret_credential[KEY_TEXT_MAX], token_file[KEY_TEXT_MAX];
    int auth; // enum client_auth
};

extern const struct key token_keys[];

// As struct probe_type's.
void token_options_check(const struct probe_conf *conf, const struct probe_problems *problems);
unsigned token_options_watch(const struct probe_conf *conf);
int token_options_watch_address(const struct probe_conf *conf, struct endpoint *out);

// Where a request goes that may have a target of its own.
const struct endpoint *token_target(const struct endpoint *own, const struct endpoint *target);
