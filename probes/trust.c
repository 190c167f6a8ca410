// See trust.h. A file counts as changed when its time, its size or its inode has.
#include "probes/trust.h"

#include "probes/system_error.h"

#include <curl/curl.h>
#include <errno.h>
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
    X509_STORE *store;
    struct stat seen; // as the store was read
    char path[];
};

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

static struct trust_file *find(struct trust *trust, const char *path)
{
    struct trust_file *file = trust->files;
    while (file != NULL && strcmp(file->path, path) != 0) {
        file = file->next;
    }
    if (file == NULL) {
        file = calloc(1, sizeof *file + strlen(path) + 1);
        if (file != NULL) {
            memcpy(file->path, path, strlen(path));
            file->next = trust->files;
            trust->files = file;
        }
    }
    return file;
}

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

struct x509_store_st *trust_store(struct trust *trust, const char *path, struct finding *out)
{
    struct stat now;
    const char *name = path[0] ? path : system_anchors();
    struct trust_file *file = find(trust, name);
    if (file == NULL) {
        finding_error(out, -ENOMEM, "read the CA file");
        return NULL;
    }
    if (stat(name, &now) < 0 || access(name, R_OK) < 0) {
        finding_set(out, VERDICT_UNKNOWN, "ca", "read the CA file %.160s: %s", name,
                    strerror(errno));
        return NULL;
    }
    // Reading one would wait at a FIFO, and never end at some devices.
    if (!S_ISREG(now.st_mode) || now.st_size > FILE_MAX) {
        finding_set(out, VERDICT_UNKNOWN, "ca", "read the CA file %.160s: it is %s", name,
                    S_ISREG(now.st_mode) ? "larger than 16 MiB" : "not a regular file");
        return NULL;
    }
    if (file->store != NULL && is_unchanged(&now, &file->seen)) {
        X509_STORE_up_ref(file->store);
        return file->store;
    }
    X509_STORE *store = read_store(name);
    if (store == NULL) {
        finding_set(out, VERDICT_UNKNOWN, "ca",
                    "read the CA file %.160s: no PEM certificates in it", name);
        return NULL;
    }
    X509_STORE_free(file->store); // transfers under way hold their own reference
    X509_STORE_up_ref(store);
    file->store = store;
    file->seen = now;
    return store;
}

void trust_clear(struct trust *trust)
{
    while (trust->files != NULL) {
        struct trust_file *file = trust->files;
        trust->files = file->next;
        X509_STORE_free(file->store);
        free(file);
    }
}
