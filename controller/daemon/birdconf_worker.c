// See birdconf_worker.h. What is in struct job `running`, and what is known to be there, is the
// worker's while it runs.
#include "controller/daemon/birdconf_worker.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text {
    char *bytes; // kept for the next one: its pages need not be had from the kernel each time
    size_t length, room;
    bool is_none; // no file
};

struct job {
    struct birdconf_words words; // none if their count is 0
    bool saves;
    struct text text;
    bool failed; // out of memory: there is nothing to write
    uint64_t version;
    enum birdconf_look look;
};

struct birdconf_worker {
    uv_loop_t *loop;
    uv_work_t work;
    char *directory;
    const struct birdconf_worker_events *events;
    void *arg;
    struct job running, waiting;
    bool is_running, is_waiting;
    // What is on disk, as far as we know: whether there is a file; and which text, until it is
    // patched.
    struct birdconf_print there;
    bool knows, knows_text;
    // How the job that ran went.
    int status;
    bool is_foreign;
    char error[ERROR_MAX];
};

struct birdconf_worker *birdconf_worker_new(uv_loop_t *loop, const char *directory,
                                            const struct birdconf_worker_events *events, void *arg)
{
    struct birdconf_worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL) {
        return NULL;
    }
    worker->directory = strdup(directory);
    if (worker->directory == NULL) {
        free(worker);
        return NULL;
    }
    worker->loop = loop;
    worker->work.data = worker;
    worker->events = events;
    worker->arg = arg;
    return worker;
}

void birdconf_worker_free(struct birdconf_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    assert(birdconf_worker_idle(worker));
    free(worker->running.text.bytes);
    free(worker->waiting.text.bytes);
    free(worker->directory);
    free(worker);
}

// ---- In the worker

static void patch(struct birdconf_worker *worker)
{
    const struct birdconf_words *words = &worker->running.words;
    int status = words->count > 0 ? birdconf_patch(words, worker->directory) : -ESTALE;
    worker->knows_text = worker->knows_text && status == -ESTALE;
}

static void save(struct birdconf_worker *worker)
{
    struct job *job = &worker->running;
    const char *text = job->text.is_none ? NULL : job->text.bytes;
    size_t length = job->text.is_none ? 0 : job->text.length;
    if (job->failed) {
        snprintf(worker->error, sizeof worker->error, "can't save a file in %.200s: out of memory",
                 worker->directory);
        worker->status = UV_ENOMEM;
        return;
    }
    worker->status = birdconf_save(worker->directory, text, length, worker->error);
    worker->knows = worker->knows_text = worker->status == 0;
    worker->there = birdconf_print(text, length);
}

static bool is_foreign(const struct birdconf_worker *worker)
{
    if (!worker->knows) {
        return false;
    }
    switch (worker->running.look) {
    case BIRDCONF_LOOK_THERE:
        return !worker->there.is_none && !birdconf_exists(worker->directory);
    case BIRDCONF_LOOK_WHOLE:
        return worker->knows_text && !birdconf_is(worker->directory, worker->there);
    case BIRDCONF_LOOK_NONE:
        break;
    }
    return false;
}

static void in_worker(uv_work_t *work)
{
    struct birdconf_worker *worker = work->data;
    worker->status = 0;
    patch(worker);
    if (worker->running.saves) {
        save(worker);
    }
    worker->is_foreign = is_foreign(worker);
}

// ---- On the loop

static void begin(struct birdconf_worker *worker);

static void on_done(uv_work_t *work, int status)
{
    struct birdconf_worker *worker = work->data;
    const struct birdconf_worker_events *events = worker->events;
    bool saves = worker->running.saves;
    bool foreign = worker->is_foreign && !worker->is_waiting;
    uint64_t version = worker->running.version;
    char error[ERROR_MAX]; // a copy: the next job may be writing its own already
    snprintf(error, sizeof error, "%s", worker->status != 0 ? worker->error : "");
    (void)status; // nobody cancels it
    worker->is_running = false;
    if (worker->is_waiting) {
        begin(worker);
    } else {
        free(worker->waiting.text.bytes); // one is kept for the next text, and not two
        worker->waiting.text = worker->running.text;
        worker->running.text = (struct text){0};
    }
    if (saves) {
        events->saved(worker->arg, version, error[0] != '\0' ? error : NULL);
    }
    if (foreign) {
        events->foreign(worker->arg);
    }
}

static void begin(struct birdconf_worker *worker)
{
    struct text spare = worker->running.text;
    worker->running = worker->waiting;
    worker->waiting = (struct job){.text = spare};
    worker->is_waiting = false;
    worker->is_running = true;
    int status = uv_queue_work(worker->loop, &worker->work, in_worker, on_done);
    assert(status == 0); // fails only without a work function
    (void)status;
}

static void begin_if_idle(struct birdconf_worker *worker)
{
    worker->is_waiting = true;
    if (!worker->is_running) {
        begin(worker);
    }
}

void birdconf_worker_patch(struct birdconf_worker *worker, const struct birdconf *file,
                           const size_t *slots, size_t count)
{
    struct job *job = &worker->waiting;
    birdconf_words_add(&job->words, file, slots, count);
    if (job->saves && !job->failed && !job->text.is_none) {
        struct birdconf_words newer = {0}; // than the text, as not all that wait are
        birdconf_words_add(&newer, file, slots, count);
        (void)birdconf_words_set(&newer, job->text.bytes, job->text.length);
    }
    begin_if_idle(worker);
}

static bool set_text(struct text *text, const char *bytes, size_t length)
{
    if (text->room <= length) {
        free(text->bytes);
        text->bytes = malloc(length + 1);
        text->room = text->bytes != NULL ? length + 1 : 0;
    }
    if (text->bytes == NULL) {
        return false;
    }
    memcpy(text->bytes, bytes, length);
    text->bytes[length] = '\0';
    text->length = length;
    return true;
}

void birdconf_worker_save(struct birdconf_worker *worker, const char *text, size_t length,
                          uint64_t version)
{
    struct job *job = &worker->waiting;
    job->saves = true;
    job->version = version;
    job->text.is_none = text == NULL;
    job->failed = text != NULL && !set_text(&job->text, text, length);
    begin_if_idle(worker);
}

void birdconf_worker_look(struct birdconf_worker *worker, enum birdconf_look look)
{
    struct job *job = &worker->waiting;
    job->look = look > job->look ? look : job->look;
    begin_if_idle(worker);
}

bool birdconf_worker_saves(const struct birdconf_worker *worker)
{
    return (worker->is_running && worker->running.saves) ||
           (worker->is_waiting && worker->waiting.saves);
}

bool birdconf_worker_idle(const struct birdconf_worker *worker)
{
    return !worker->is_running;
}
