// What the failure of a transfer means: whose it is, its code and its words. Pure.
#pragma once

#include "probes/tls_peer.h"

#include <curl/curl.h>

// All that is known of it.
struct transfer_failure {
    CURLcode code;    // libcurl's word
    const char *text; // libcurl's own about it; empty: none
    int own_error;    // negative: what kept us from going on; 0: nothing
    int os_error;     // negative: what the system said to libcurl last; 0: nothing
    const struct tls_peer *peer;
    const char *too_large; // what was larger than we take, "body"; NULL: nothing
    size_t size_max;       // of that
    // What was attempted: "connect to 192.0.2.53:443", "GET https://... at 192.0.2.53:443".
    const char *connecting, *what;
};

// Fills out: trouble of popgated's own is `unknown`, all else a fail. now: for certificates.
void transfer_failure_judge(const struct transfer_failure *failure, time_t now,
                            struct finding *out);
