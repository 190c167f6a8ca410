// See curl_loop.h.
//
// libcurl is never called from within its own callbacks: what one of them finds is noted in the
// job, which ends when libcurl has returned.
#include "probes/curl_loop.h"

#include "probes/client_cert.h"
#include "probes/trust.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>

struct curl_watch {
    struct curl_loop *loop;
    struct curl_job *job;    // who listens; NULL: libcurl does
    struct curl_watch *next; // while it is spare
    uv_poll_t poll;
    int fd, events;
    bool live;
};

struct curl_loop {
    uv_loop_t *uv;
    CURLM *multi;
    uv_timer_t timer;
    struct curl_job *over;
    struct curl_watch *spare; // those that have been used and are not now
    struct kept trust, client_certs;
    struct curl_loop *next; // of the thread's
    unsigned users, jobs;
    unsigned handles; // not yet closed
    bool in_timer;
};

static _Thread_local struct curl_loop *loops;

static void watch_end(struct curl_watch *watch);

// ---- Jobs

// A job that never became libcurl's own is ended likewise.
static void drop(struct curl_job *job)
{
    CURL *easy = job->easy;
    job->easy = NULL;
    if (job->listening != NULL) {
        watch_end(job->listening);
        job->listening = NULL;
    }
    if (job->link != NULL) {
        *job->link = job->next;
        if (job->next != NULL) {
            job->next->link = job->link;
        }
        job->link = NULL;
    }
    curl_multi_remove_handle(job->loop->multi, easy);
    curl_easy_cleanup(easy);
    job->loop->jobs--;
}

bool curl_job_begin(struct curl_job *job, struct curl_loop *loop, CURL *easy)
{
    assert(!job->easy);
    job->loop = loop;
    job->easy = easy;
    job->link = NULL;
    job->listening = NULL;
    loop->jobs++;
    if (curl_multi_add_handle(loop->multi, easy) != CURLM_OK) {
        drop(job);
        return false;
    }
    return true;
}

void curl_job_end(struct curl_job *job)
{
    drop(job);
}

void curl_job_over(struct curl_job *job)
{
    struct curl_loop *loop = job->loop;
    // libcurl reads once more from a connection that it closes: a handshake may end in drop().
    if (job->easy == NULL || job->link != NULL) {
        return;
    }
    job->next = loop->over;
    job->link = &loop->over;
    if (job->next != NULL) {
        job->next->link = &job->next;
    }
    loop->over = job;
}

// The callbacks may begin and end jobs, so nothing is held across one.
static void finish_what_is_over(struct curl_loop *loop)
{
    CURLMsg *message;
    int left;
    loop->users++;
    while ((message = curl_multi_info_read(loop->multi, &left)) != NULL) {
        struct curl_job *job = NULL;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&job);
        job->on_done(job, code);
    }
    while (loop->over != NULL) {
        loop->over->on_done(loop->over, CURLE_OK);
    }
    curl_loop_release(loop);
}

// ---- Libcurl's wishes

static void on_timer(uv_timer_t *timer)
{
    struct curl_loop *loop = timer->data;
    int running;
    loop->in_timer = true;
    curl_multi_socket_action(loop->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    loop->in_timer = false;
    finish_what_is_over(loop);
}

static void wake_in(struct curl_loop *loop, uint64_t after_ms)
{
    uv_update_time(loop->uv);
    int error = uv_timer_start(&loop->timer, on_timer, after_ms, 0);
    assert(error == 0);
    (void)error;
}

static int on_wish_for_time(CURLM *multi, long timeout_ms, void *arg)
{
    struct curl_loop *loop = arg;
    (void)multi;
    if (timeout_ms < 0) {
        uv_timer_stop(&loop->timer);
    } else {
        // At once within the timer's turn would be in the same turn, and keep the loop from all
        // else for as long as the server is fast enough.
        wake_in(loop, loop->in_timer && timeout_ms == 0 ? 1 : (uint64_t)timeout_ms);
    }
    return 0;
}

// libuv says UV_EBADF for any pending error of the socket, and stops watching; libcurl finds
// out what it is.
static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct curl_watch *watch = poll->data;
    struct curl_loop *loop = watch->loop;
    int action = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                 (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0) |
                 (status < 0 ? CURL_CSELECT_ERR | CURL_CSELECT_IN | CURL_CSELECT_OUT : 0);
    int fd = watch->fd;
    int running;
    loop->users++;
    curl_multi_socket_action(loop->multi, fd, action, &running);
    if (status < 0 && watch->live && watch->fd == fd) {
        (void)uv_poll_start(&watch->poll, watch->events, on_poll);
    }
    finish_what_is_over(loop);
    curl_loop_release(loop);
}

static void free_if_done(struct curl_loop *loop)
{
    if (loop->handles > 0) {
        return;
    }
    while (loop->spare != NULL) {
        struct curl_watch *watch = loop->spare;
        loop->spare = watch->next;
        free(watch);
    }
    free(loop);
    curl_global_cleanup();
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct curl_watch *watch = handle->data;
    struct curl_loop *loop = watch->loop;
    watch->next = loop->spare;
    loop->spare = watch;
    loop->handles--;
    free_if_done(loop);
}

static void watch_end(struct curl_watch *watch)
{
    watch->live = false;
    uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
}

// NULL and a negative uv error when fd can't be watched.
static struct curl_watch *watch_begin(struct curl_loop *loop, int fd, int *error)
{
    struct curl_watch *watch = loop->spare;
    if (watch != NULL) {
        loop->spare = watch->next;
    } else {
        watch = malloc(sizeof *watch);
        if (watch == NULL) {
            *error = UV_ENOMEM;
            return NULL;
        }
    }
    *watch = (struct curl_watch){.loop = loop, .fd = fd, .live = true};
    *error = uv_poll_init_socket(loop->uv, &watch->poll, fd);
    if (*error) {
        watch->next = loop->spare;
        loop->spare = watch;
        return NULL;
    }
    watch->poll.data = watch;
    loop->handles++;
    return watch;
}

static int on_wish_for_events(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct curl_loop *loop = arg;
    struct curl_watch *watch = socket_arg;
    struct curl_job *job = NULL;
    int error = 0;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL) {
            curl_multi_assign(loop->multi, fd, NULL);
            watch_end(watch);
        }
        return 0;
    }
    if (watch == NULL) {
        watch = watch_begin(loop, fd, &error);
        curl_multi_assign(loop->multi, fd, watch);
    }
    if (watch != NULL) {
        watch->events =
            (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
        error = uv_poll_start(&watch->poll, watch->events, on_poll);
    }
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&job);
    if (error && job != NULL) {
        job->error = error;
        curl_job_over(job);
        wake_in(loop, 0);
    }
    return 0;
}

// ---- Listening

static void on_heard(uv_poll_t *poll, int status, int events)
{
    struct curl_watch *watch = poll->data;
    struct curl_loop *loop = watch->loop;
    (void)events;
    loop->users++;
    watch->job->on_readable(watch->job);
    if (status < 0 && watch->live) {
        (void)uv_poll_start(&watch->poll, watch->events, on_heard);
    }
    finish_what_is_over(loop);
    curl_loop_release(loop);
}

int curl_job_listen(struct curl_job *job)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    int error = 0;
    curl_easy_getinfo(job->easy, CURLINFO_ACTIVESOCKET, &fd);
    struct curl_watch *watch = watch_begin(job->loop, fd, &error);
    if (watch == NULL) {
        return error;
    }
    watch->job = job;
    watch->events = UV_READABLE;
    job->listening = watch;
    (void)shutdown(fd, SHUT_WR);
    return uv_poll_start(&watch->poll, watch->events, on_heard);
}

// ---- The loop

static void on_timer_closed(uv_handle_t *handle)
{
    struct curl_loop *loop = handle->data;
    loop->handles--;
    free_if_done(loop);
}

static bool set_options(struct curl_loop *loop)
{
    CURLM *multi = loop->multi;
    return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_wish_for_events) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, loop) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_wish_for_time) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_TIMERDATA, loop) == CURLM_OK;
}

static struct curl_loop *loop_new(uv_loop_t *uv)
{
    struct curl_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL) {
        return NULL;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        goto err_loop;
    }
    loop->multi = curl_multi_init();
    if (loop->multi == NULL || !set_options(loop)) {
        goto err_multi;
    }
    if (uv_timer_init(uv, &loop->timer) != 0) {
        goto err_multi;
    }
    loop->uv = uv;
    loop->trust = (struct kept){.loop = uv, .kind = &trust_kind};
    loop->client_certs = (struct kept){.loop = uv, .kind = &client_cert_kind};
    loop->timer.data = loop;
    loop->handles = 1;
    loop->next = loops;
    loops = loop;
    return loop;

err_multi:
    curl_multi_cleanup(loop->multi);
    curl_global_cleanup();
err_loop:
    free(loop);
    return NULL;
}

int curl_loop_acquire(uv_loop_t *uv, struct curl_loop **out)
{
    struct curl_loop *loop = loops;
    while (loop != NULL && loop->uv != uv) {
        loop = loop->next;
    }
    *out = loop != NULL ? loop : loop_new(uv);
    if (*out == NULL) {
        return UV_ENOMEM;
    }
    (*out)->users++;
    return 0;
}

void curl_loop_release(struct curl_loop *loop)
{
    struct curl_loop **link = &loops;
    assert(loop->users > 0);
    if (--loop->users > 0) {
        return;
    }
    assert(loop->jobs == 0 && loop->trust.items == NULL && loop->client_certs.items == NULL);
    while (*link != loop) {
        link = &(*link)->next;
    }
    *link = loop->next;
    curl_multi_cleanup(loop->multi);
    uv_close((uv_handle_t *)&loop->timer, on_timer_closed);
}

struct kept *curl_loop_trust(struct curl_loop *loop)
{
    return &loop->trust;
}

struct kept *curl_loop_client_certs(struct curl_loop *loop)
{
    return &loop->client_certs;
}
