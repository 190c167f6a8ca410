// See aside.h.
#include "probes/aside.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

#define STACK_SIZE (256 << 10)

static atomic_uint threads; // that have not ended

bool aside_is_busy(void)
{
    return threads > 0;
}

static void *run_apart(void *arg)
{
    struct aside_work *work = arg;
    work->run(work);
    pthread_mutex_lock(&work->lock);
    bool left = work->left;
    work->done = true;
    if (!left) {
        uv_async_send(&work->aside->done); // it can't be closed before left is set
    }
    pthread_mutex_unlock(&work->lock);
    if (left) {
        pthread_mutex_destroy(&work->lock);
        work->drop(work);
    }
    OPENSSL_thread_stop(); // would come behind the end of the count, and of exit() maybe
    threads--;
    return NULL;
}

// 0, or an error number.
static int begin_thread(struct aside_work *work)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    int error = pthread_attr_init(&attributes);
    if (error) {
        return error;
    }
    sigfillset(&all);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    pthread_sigmask(SIG_SETMASK, &all, &before); // signals are the loop's
    threads++;
    error = pthread_create(&thread, &attributes, run_apart, work);
    threads -= error != 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

int aside_begin(struct aside *aside, struct aside_work *work)
{
    assert(!aside->work);
    work->aside = aside;
    work->left = work->done = false;
    pthread_mutex_init(&work->lock, NULL);
    aside->work = work;
    int error = begin_thread(work);
    if (error) {
        pthread_mutex_destroy(&work->lock);
        aside->work = NULL;
        return uv_translate_sys_error(error);
    }
    uv_ref((uv_handle_t *)&aside->done);
    return 0;
}

// Whether it has ended. If not, and if it is to be left, it is its thread's from now on.
static bool has_ended(struct aside_work *work, bool leave)
{
    pthread_mutex_lock(&work->lock);
    bool done = work->done;
    work->left = leave && !done;
    pthread_mutex_unlock(&work->lock);
    return done;
}

static void hand_over(struct aside *aside)
{
    struct aside_work *work = aside->work;
    aside->work = NULL;
    pthread_mutex_destroy(&work->lock);
    uv_unref((uv_handle_t *)&aside->done);
    aside->on_done(aside->owner, work);
}

static void on_done(uv_async_t *async)
{
    struct aside *aside = async->data;
    if (aside->work != NULL && has_ended(aside->work, false)) {
        hand_over(aside);
    }
}

int aside_open(struct aside *aside, uv_loop_t *loop)
{
    int error = uv_async_init(loop, &aside->done, on_done);
    aside->done.data = aside;
    if (error == 0) {
        uv_unref((uv_handle_t *)&aside->done);
    }
    return error;
}

static void on_closed(uv_handle_t *handle)
{
    struct aside *aside = handle->data;
    aside->on_free(aside->owner);
}

void aside_close(struct aside *aside)
{
    // Whoever is handed one piece may begin the next.
    while (aside->work != NULL && has_ended(aside->work, true)) {
        hand_over(aside);
    }
    aside->work = NULL;
    uv_close((uv_handle_t *)&aside->done, on_closed);
}
