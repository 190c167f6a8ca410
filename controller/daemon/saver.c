#include "controller/daemon/saver.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
    char *text; // kept for the next one: its pages need not be had from the kernel each time
    size_t length, room;
    uint64_t version;
    bool remove;
    bool failed; // out of memory: there is nothing to write
};

struct saver {
    uv_loop_t *loop;
    uv_work_t work;
    char *directory;
    saver_write_fn write;
    saver_done_cb done;
    void *arg;
    struct job running, waiting;
    bool is_running, is_waiting;
    int status;
    char error[ERROR_MAX];
};

struct saver *saver_new(uv_loop_t *loop, const char *directory, saver_write_fn write,
                        saver_done_cb done, void *arg)
{
    struct saver *saver = calloc(1, sizeof *saver);
    if (saver != NULL) {
        *saver = (struct saver){
            .loop = loop, .directory = strdup(directory), .write = write, .done = done, .arg = arg};
        saver->work.data = saver;
        if (saver->directory == NULL) {
            free(saver);
            return NULL;
        }
    }
    return saver;
}

static void in_worker(uv_work_t *work)
{
    struct saver *saver = work->data;
    if (saver->running.failed) {
        snprintf(saver->error, sizeof saver->error, "can't save a file in %.200s: out of memory",
                 saver->directory);
        saver->status = UV_ENOMEM;
        return;
    }
    saver->status = saver->write(saver->arg, saver->directory,
                                 saver->running.remove ? NULL : saver->running.text,
                                 saver->running.length, saver->error);
}

static void begin(struct saver *saver);

static void on_loop(uv_work_t *work, int status)
{
    struct saver *saver = work->data;
    uint64_t version = saver->running.version;
    bool failed = saver->status != 0 || status != 0;
    char error[ERROR_MAX]; // a copy: the next job's worker may be writing its own already
    snprintf(error, sizeof error, "%s", failed ? saver->error : "");
    saver->is_running = false;
    if (saver->is_waiting) {
        struct job ended = saver->running;
        saver->running = saver->waiting;
        saver->waiting = ended;
        saver->is_waiting = false;
        begin(saver);
    }
    saver->done(saver->arg, version, failed ? error : NULL);
}

static void begin(struct saver *saver)
{
    saver->is_running = true;
    int status = uv_queue_work(saver->loop, &saver->work, in_worker, on_loop);
    assert(status == 0); // fails only without a work function
    (void)status;
}

static void set_text(struct job *job, const char *text, size_t length)
{
    if (job->room <= length) {
        free(job->text);
        job->text = malloc(length + 1);
        job->room = job->text != NULL ? length + 1 : 0;
    }
    job->failed = job->text == NULL;
    if (!job->failed) {
        memcpy(job->text, text, length);
        job->text[length] = '\0';
    }
}

void saver_submit(struct saver *saver, const char *text, size_t length, uint64_t version)
{
    struct job *job = saver->is_running ? &saver->waiting : &saver->running;
    job->length = length;
    job->version = version;
    job->remove = text == NULL;
    job->failed = false;
    if (text != NULL) {
        set_text(job, text, length);
    }
    if (saver->is_running) {
        saver->is_waiting = true;
    } else {
        begin(saver);
    }
}

bool saver_idle(const struct saver *saver)
{
    return !saver->is_running;
}

void saver_free(struct saver *saver)
{
    if (saver == NULL) {
        return;
    }
    assert(saver_idle(saver));
    free(saver->running.text);
    free(saver->waiting.text);
    free(saver->directory);
    free(saver);
}
