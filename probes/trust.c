// See trust.h.
#include "probes/trust.h"

#include <curl/curl.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (16 << 20) // bytes; a system's trust anchors are some 200 KiB

// Why this file is not to be read as a whole: it is not there, not ours to read, no regular file
// (reading one would wait at a FIFO, and never end at some devices) or too large. NULL if it is.
static const char *file_problem(const char *path)
{
    struct stat now;
    if (stat(path, &now) < 0 || access(path, R_OK) < 0) {
        return strerror(errno);
    }
    if (!S_ISREG(now.st_mode)) {
        return "it is not a regular file";
    }
    return now.st_size > FILE_MAX ? "it is larger than 16 MiB" : NULL;
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

static void *trust_read(const struct kept_files *files, char problem[VERDICT_CAUSE_MAX])
{
    const char *path = files->paths[0];
    const char *why = file_problem(path);
    X509_STORE *store = why == NULL ? read_store(path) : NULL;
    if (store == NULL) {
        snprintf(problem, VERDICT_CAUSE_MAX, "read the CA file %.160s: %s", path,
                 why != NULL ? why : "no PEM certificates in it");
    }
    return store;
}

static void trust_hold(void *thing)
{
    X509_STORE_up_ref(thing);
}

static void trust_drop(void *thing)
{
    X509_STORE_free(thing);
}

const struct kept_kind trust_kind = {
    .code = "ca", .read = trust_read, .hold = trust_hold, .drop = trust_drop};

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

const char *trust_path(const char *ca)
{
    return ca[0] ? ca : system_anchors();
}
