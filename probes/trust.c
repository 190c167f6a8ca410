// See trust.h. A file counts as changed when its time, its size or its inode has.
#include "probes/trust.h"

#include "probes/aside.h"
#include "probes/system_error.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (16 << 20) // bytes; a system's anchors are some 200 KiB

struct trust_file {
    struct trust_file *next;
    struct aside aside; // looks at it
    struct trust_wait *waiting;
    X509_STORE *store; // NULL: none yet
    struct stat seen;  // as the store was read
    char path[];
};

// ---- A look at a file, aside

struct look {
    struct aside_work work; // the first
    bool known;             // it was read before, as it is in seen
    struct stat seen;
    X509_STORE *store; // NULL, and nothing in problem: as before
    char problem[128];
    char path[];
};

static bool is_unchanged(const struct stat *a, const struct stat *b)
{
    return a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_size == b->st_size && a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

static X509_STORE *read_store(const char *path)
{
    X509_STORE *store = X509_STORE_new();
    if (store != NULL && X509_STORE_load_file(store, path) != 1) {
        X509_STORE_free(store);
        store = NULL;
    }
    ERR_clear_error();
    return store;
}

static void look_aside(struct aside_work *work)
{
    struct look *look = (struct look *)work;
    struct stat now;
    if (stat(look->path, &now) < 0 || access(look->path, R_OK) < 0) {
        snprintf(look->problem, sizeof look->problem, "%s", strerror(errno));
    } else if (!S_ISREG(now.st_mode) || now.st_size > FILE_MAX) {
        // Reading one would wait at a FIFO, and never end at some devices.
        snprintf(look->problem, sizeof look->problem, "it is %s",
                 S_ISREG(now.st_mode) ? "larger than 16 MiB" : "not a regular file");
    } else if (!look->known || !is_unchanged(&now, &look->seen)) {
        look->store = read_store(look->path);
        look->seen = now;
        snprintf(look->problem, sizeof look->problem, "%s",
                 look->store != NULL ? "" : "no PEM certificates in it");
    }
}

static void drop_look(struct aside_work *work)
{
    struct look *look = (struct look *)work;
    X509_STORE_free(look->store);
    free(look);
}

static void leave_queue(struct trust_wait *wait)
{
    *wait->link = wait->next;
    if (wait->next != NULL) {
        wait->next->link = wait->link;
    }
    wait->link = NULL;
}

// Those who begin to wait for it meanwhile want another look.
static void answer_all(struct trust_file *file, const struct finding *problem)
{
    struct trust_wait *waiting = file->waiting;
    file->waiting = NULL;
    if (waiting != NULL) {
        waiting->link = &waiting;
    }
    while (waiting != NULL) {
        struct trust_wait *wait = waiting;
        leave_queue(wait);
        if (problem == NULL) {
            X509_STORE_up_ref(file->store);
        }
        wait->on_store(wait->owner, problem == NULL ? file->store : NULL, problem);
    }
}

static void on_looked(void *owner, struct aside_work *work)
{
    struct trust_file *file = owner;
    struct look *look = (struct look *)work;
    struct finding problem;
    if (look->store != NULL) {
        X509_STORE_free(file->store); // transfers under way hold their own reference
        file->store = look->store;
        file->seen = look->seen;
    }
    bool good = look->problem[0] == '\0';
    finding_set(&problem, VERDICT_UNKNOWN, "ca", "read the CA file %.160s: %s", file->path,
                look->problem);
    free(look);
    answer_all(file, good ? NULL : &problem);
}

// 0 or a negative uv error.
static int begin_look(struct trust_file *file)
{
    size_t size = strlen(file->path) + 1;
    struct look *look = calloc(1, sizeof *look + size);
    if (look == NULL) {
        return UV_ENOMEM;
    }
    look->work = (struct aside_work){.run = look_aside, .drop = drop_look};
    look->known = file->store != NULL;
    look->seen = file->seen;
    memcpy(look->path, file->path, size);
    int error = aside_begin(&file->aside, &look->work);
    if (error) {
        free(look);
    }
    return error;
}

// ---- The files

// libcurl knows where its distribution keeps them.
static const char *system_anchors(void)
{
    const char *path = NULL;
    CURL *easy = curl_easy_init();
    if (easy != NULL) {
        curl_easy_getinfo(easy, CURLINFO_CAINFO, (char **)&path);
        curl_easy_cleanup(easy);
    }
    return path != NULL ? path : "/etc/ssl/certs/ca-certificates.crt";
}

static void on_free(void *owner)
{
    struct trust_file *file = owner;
    X509_STORE_free(file->store);
    free(file);
}

static struct trust_file *find(struct trust *trust, const char *path)
{
    struct trust_file *file = trust->files;
    while (file != NULL && strcmp(file->path, path) != 0) {
        file = file->next;
    }
    if (file != NULL) {
        return file;
    }
    file = calloc(1, sizeof *file + strlen(path) + 1);
    if (file == NULL) {
        return NULL;
    }
    memcpy(file->path, path, strlen(path));
    file->aside = (struct aside){.owner = file, .on_done = on_looked, .on_free = on_free};
    if (aside_open(&file->aside, trust->loop) != 0) {
        free(file);
        return NULL;
    }
    file->next = trust->files;
    trust->files = file;
    return file;
}

void trust_ask(struct trust *trust, const char *path, struct trust_wait *wait)
{
    const char *name = path[0] ? path : system_anchors();
    struct trust_file *file = find(trust, name);
    struct finding problem;
    char attempted[192];
    assert(wait->link == NULL);
    int error = file == NULL ? UV_ENOMEM : file->aside.work != NULL ? 0 : begin_look(file);
    if (error) {
        snprintf(attempted, sizeof attempted, "read the CA file %.160s", name);
        finding_error(&problem, error, attempted);
        wait->on_store(wait->owner, NULL, &problem);
        return;
    }
    wait->next = file->waiting;
    wait->link = &file->waiting;
    if (wait->next != NULL) {
        wait->next->link = &wait->next;
    }
    file->waiting = wait;
}

void trust_forget(struct trust_wait *wait)
{
    if (wait->link != NULL) {
        leave_queue(wait);
    }
}

void trust_close(struct trust *trust)
{
    while (trust->files != NULL) {
        struct trust_file *file = trust->files;
        assert(file->waiting == NULL);
        trust->files = file->next;
        aside_close(&file->aside);
    }
}
