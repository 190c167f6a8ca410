// libcurl's multi interface on libuv: one handle for all transfers of a loop. libcurl says which
// sockets to watch and when to wake it; the curl loop does both, and tells of each transfer that is
// over.
#pragma once

#include "probes/kept.h"

#include <curl/curl.h>
#include <uv.h>

struct curl_loop;

// The loop's, made when nobody has it yet. Pairs with curl_loop_release(), after which its handles
// close by themselves. 0 or a negative uv error. Only for the loop's thread.
int curl_loop_acquire(uv_loop_t *loop, struct curl_loop **out);
void curl_loop_release(struct curl_loop *loop);

// The trust anchors, and the certificates of our own, that all share.
struct kept *curl_loop_trust(struct curl_loop *loop);
struct kept *curl_loop_client_certs(struct curl_loop *loop);

// One transfer of libcurl's. Zeroed but for owner and on_done it is idle.
struct curl_job {
    CURL *easy; // while under way
    void *owner;
    // It is over, by libcurl's word or (code is CURLE_OK then) by curl_job_over(); curl_job_end()
    // is to follow. No call of libcurl's is under way.
    void (*on_done)(struct curl_job *job, CURLcode code);
    int error; // a negative uv error: why it can't go on; 0: it can. Cleared by the owner
    void (*on_readable)(struct curl_job *job); // see curl_job_listen()

    struct curl_loop *loop;
    struct curl_watch *listening;
    struct curl_job *next, **link; // of those that are over
};

// Begins: takes easy over, whose CURLOPT_PRIVATE is the job. False, and it is idle again, when out
// of memory.
bool curl_job_begin(struct curl_job *job, struct curl_loop *loop, CURL *easy);

// Ends it, from anywhere but a callback of libcurl's; on_done does not follow.
void curl_job_end(struct curl_job *job);

// It is done, and its connection (CURLOPT_CONNECT_ONLY) is to be read from: nothing more is said to
// the peer, and on_readable follows whenever there may be something. 0 or a negative uv error.
int curl_job_listen(struct curl_job *job);

// Has it end as soon as no call of libcurl's is under way. For libcurl's callbacks.
void curl_job_over(struct curl_job *job);
