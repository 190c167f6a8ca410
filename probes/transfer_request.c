// See transfer_request.h.
#include "probes/transfer_request.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct copy {
    struct transfer_request request; // the first; it points into what follows
    struct endpoint target, source;
    struct tls_options tls;
    struct tls_alpn alpn;
    const char *headers[TRANSFER_HEADERS_MAX];
    char *secret; // of bytes, from here to the end
    size_t secret_size;
    char bytes[];
};

static size_t text_size(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

static size_t secret_size(const struct transfer_request *request)
{
    size_t size = request->body != NULL ? request->body_length : 0;
    for (size_t i = 0; i < request->header_count; i++) {
        size += text_size(request->headers[i]);
    }
    return size;
}

// NULL stays NULL.
static const char *append(char **at, const char *bytes, size_t size)
{
    if (bytes == NULL) {
        return NULL;
    }
    const char *copied = memcpy(*at, bytes, size);
    *at += size;
    return copied;
}

static const char *append_text(char **at, const char *text)
{
    return append(at, text, text_size(text));
}

static void take_secrets(struct copy *copy, const struct transfer_request *request)
{
    char *at = copy->secret;
    for (size_t i = 0; i < request->header_count; i++) {
        copy->headers[i] = append_text(&at, request->headers[i]);
    }
    copy->request.headers = copy->headers;
    copy->request.body = append(&at, request->body, request->body_length);
}

static void take_structs(struct copy *copy, const struct transfer_request *request)
{
    struct transfer_request *own = &copy->request;
    copy->tls = *request->tls;
    own->tls = &copy->tls;
    if (request->target != NULL) {
        copy->target = *request->target;
        own->target = &copy->target;
    }
    if (request->source != NULL) {
        copy->source = *request->source;
        own->source = &copy->source;
    }
    if (request->alpn != NULL) {
        copy->alpn = *request->alpn;
        own->alpn = &copy->alpn;
    }
}

struct transfer_request *transfer_request_copy(const struct transfer_request *request)
{
    assert(request->tls != NULL && request->header_count <= TRANSFER_HEADERS_MAX);
    size_t secret = secret_size(request);
    struct copy *copy = malloc(sizeof *copy + text_size(request->method) + text_size(request->url) +
                               text_size(request->server_name) + secret);
    if (copy == NULL) {
        return NULL;
    }
    char *at = copy->bytes;
    copy->request = *request;
    copy->request.method = append_text(&at, request->method);
    copy->request.url = append_text(&at, request->url);
    copy->request.server_name = append_text(&at, request->server_name);
    copy->secret = at;
    copy->secret_size = secret;
    take_structs(copy, request);
    take_secrets(copy, request);
    return &copy->request;
}

void transfer_request_wipe(struct transfer_request *request)
{
    struct copy *copy = (struct copy *)request;
    explicit_bzero(copy->secret, copy->secret_size);
    request->header_count = request->body_length = 0;
    request->body = NULL;
}

void transfer_request_free(struct transfer_request *request)
{
    if (request != NULL) {
        transfer_request_wipe(request);
        free(request);
    }
}
