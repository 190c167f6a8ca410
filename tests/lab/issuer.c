// See issuer.h. libmicrohttpd runs a thread for each connection; what they share is behind a lock.
#include "tests/lab/issuer.h"

#include "tests/lab/check.h"
#include "tests/lab/mint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HUGE_BYTES    (UINT64_C(50) << 20)
#define DRIP_PAUSE_NS 100000000L
#define BASIC         "Basic cHJvYmU6czNjcmV0" // probe:s3cret
#define FORM          "client_id=probe&client_secret=s3cret"
#define BODY_MAX      32768

static const char *const paths[] = {"/token", "/keys", "/introspect", "/protected"};

struct lab_issuer {
    const struct lab_node *node;
    char address[INET6_ADDRSTRLEN];
    uint16_t port;
    struct MHD_Daemon *daemon; // NULL while crashed
    pthread_mutex_t lock;      // of all that follows
    enum lab_issuer_mode modes[LAB_ISSUER_PATHS];
    size_t asked[LAB_ISSUER_PATHS];
    unsigned rotations;
    json_t *key;
    char *last; // the token given last
};

// A request's body, as it comes.
struct body {
    size_t length;
    char bytes[BODY_MAX];
};

// ---- Tokens

static char *make_claims(enum lab_issuer_mode mode)
{
    const json_int_t now = time(NULL);
    const json_int_t begin = mode == LAB_ISSUER_FUTURE ? now + 3600 : now - 7200;
    const json_int_t end = mode == LAB_ISSUER_EXPIRED ? now - INT64_C(4) * 86400 : now + 9000;
    json_t *claims = mint_require(json_pack(
        "{s:s,s:s,s:s,s:s,s:s,s:I,s:I}", "iss",
        mode == LAB_ISSUER_WRONG_ISSUER ? "https://evil.example" : "https://id.example.net", "aud",
        mode == LAB_ISSUER_WRONG_AUDIENCE ? "eu-west" : LAB_CHECK_REGION, "region",
        mode == LAB_ISSUER_WRONG_REGION ? "eu-west" : LAB_CHECK_REGION, "pop", LAB_CHECK_ID,
        "scope", mode == LAB_ISSUER_NO_SCOPE ? "other" : "probe", "nbf", begin, "exp", end));
    char *text = mint_require(json_dumps(claims, JSON_COMPACT));

    json_decref(claims);
    return text;
}

static char *sign_by_other(const struct lab_issuer *issuer, const char *claims, const char *kid)
{
    json_t *other = mint_key(
        "ES256", kid != NULL ? kid : json_string_value(json_object_get(issuer->key, "kid")));
    char *token = mint_token(other, claims);

    json_decref(other);
    return token;
}

// The lock is held.
static char *make_token(const struct lab_issuer *issuer)
{
    enum lab_issuer_mode mode = issuer->modes[LAB_ISSUER_TOKEN];
    char *claims = make_claims(mode);
    char *token = NULL;

    if (mode == LAB_ISSUER_ALG_NONE) {
        token = mint_join("{\"alg\":\"none\"}", claims, "");
    } else if (mode == LAB_ISSUER_HMAC) {
        json_t *confused = mint_confused_key(issuer->key);
        token = mint_token(confused, claims);
        json_decref(confused);
    } else if (mode == LAB_ISSUER_WRONG_KID) {
        token = sign_by_other(issuer, claims, "nobodys");
    } else if (mode == LAB_ISSUER_WRONG_KEY) {
        token = sign_by_other(issuer, claims, NULL);
    } else if (mode == LAB_ISSUER_OPAQUE) {
        token = mint_require(strdup("2YotnFZFEjr1zCsicMWpAA"));
    } else {
        token = mint_token(issuer->key, claims);
    }
    free(claims);
    return token;
}

char *lab_issuer_token(struct lab_issuer *issuer)
{
    pthread_mutex_lock(&issuer->lock);
    char *token = make_token(issuer);
    pthread_mutex_unlock(&issuer->lock);
    return token;
}

// ---- Answers

static ssize_t fill(void *arg, uint64_t at, char *out, size_t size)
{
    (void)arg;
    (void)at;
    memset(out, ' ', size);
    return (ssize_t)size;
}

static ssize_t drip(void *arg, uint64_t at, char *out, size_t size)
{
    (void)arg;
    (void)at;
    (void)size;
    nanosleep(&(struct timespec){.tv_nsec = DRIP_PAUSE_NS}, NULL);
    *out = ' ';
    return 1;
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status,
                              struct MHD_Response *response)
{
    enum MHD_Result result = MHD_queue_response(connection, status, response);

    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status,
                                   const char *text)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY);

    MHD_add_response_header(response, "Content-Type", "application/json");
    return answer(connection, status, response);
}

// What is the same whatever was asked for; false when the mode is of another kind.
static bool misbehave(struct MHD_Connection *connection, enum lab_issuer_mode mode, const char *url,
                      enum MHD_Result *out)
{
    struct MHD_Response *response;

    switch (mode) {
    case LAB_ISSUER_500:
        *out = answer_text(connection, 500, "{\"error\":1}");
        return true;
    case LAB_ISSUER_EMPTY:
        *out = answer_text(connection, 200, "");
        return true;
    case LAB_ISSUER_GARBAGE:
        *out = answer_text(connection, 200, "<html>It works!\x01\xff</html>");
        return true;
    case LAB_ISSUER_HUGE:
        *out = answer(connection, 200,
                      MHD_create_response_from_callback(HUGE_BYTES, 65536, fill, NULL, NULL));
        return true;
    case LAB_ISSUER_DRIP:
        *out = answer(connection, 200,
                      MHD_create_response_from_callback(HUGE_BYTES, 1, drip, NULL, NULL));
        return true;
    case LAB_ISSUER_LOOP:
        response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
        MHD_add_response_header(response, "Location", url);
        *out = answer(connection, 302, response);
        return true;
    default:
        return false;
    }
}

static bool is_header(struct MHD_Connection *connection, const char *expected)
{
    const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");

    return value != NULL && strcmp(value, expected) == 0;
}

static bool is_client(struct MHD_Connection *connection, const struct body *body)
{
    return is_header(connection, BASIC) || strstr(body->bytes, FORM) != NULL;
}

static enum MHD_Result echo(struct MHD_Connection *connection, const struct body *body)
{
    char text[BODY_MAX + 128];

    snprintf(text, sizeof text, "{\"access_token\":\"token\",\"token_type\":\"%s\"}",
             body->bytes + body->length - 20);
    return answer_text(connection, 200, text);
}

static enum MHD_Result give_token(struct lab_issuer *issuer, struct MHD_Connection *connection,
                                  const struct body *body)
{
    if (!is_client(connection, body) || issuer->modes[LAB_ISSUER_TOKEN] == LAB_ISSUER_REFUSES) {
        return answer_text(connection, 401, "{\"error\":\"invalid_client\"}");
    }
    if (issuer->modes[LAB_ISSUER_TOKEN] == LAB_ISSUER_ECHO) {
        return echo(connection, body);
    }
    if (strstr(body->bytes, "grant_type=client_credentials") == NULL) {
        return answer_text(connection, 400, "{\"error\":\"unsupported_grant_type\"}");
    }
    free(issuer->last);
    issuer->last = make_token(issuer);
    json_t *object =
        mint_require(json_pack("{s:s,s:s}", "access_token", issuer->last, "token_type", "Bearer"));
    char *text = mint_require(json_dumps(object, JSON_COMPACT));
    enum MHD_Result result = answer_text(connection, 200, text);
    free(text);
    json_decref(object);
    return result;
}

static enum MHD_Result give_keys(const struct lab_issuer *issuer, struct MHD_Connection *connection)
{
    char *set = mint_key_set(issuer->key, NULL);
    enum MHD_Result result = answer_text(connection, 200, set);

    free(set);
    return result;
}

static enum MHD_Result introspect(const struct lab_issuer *issuer,
                                  struct MHD_Connection *connection, const struct body *body)
{
    bool active = issuer->last != NULL && strstr(body->bytes, issuer->last) != NULL &&
                  issuer->modes[LAB_ISSUER_INTROSPECT] != LAB_ISSUER_REFUSES;

    if (!is_client(connection, body)) {
        return answer_text(connection, 401, "{\"error\":\"invalid_client\"}");
    }
    return answer_text(connection, 200, active ? "{\"active\":true}" : "{\"active\":false}");
}

static enum MHD_Result serve_protected(const struct lab_issuer *issuer,
                                       struct MHD_Connection *connection)
{
    char expected[BODY_MAX];

    snprintf(expected, sizeof expected, "Bearer %s", issuer->last != NULL ? issuer->last : "");
    bool good = is_header(connection, expected) &&
                issuer->modes[LAB_ISSUER_PROTECTED] != LAB_ISSUER_REFUSES;
    return answer_text(connection, good ? 200 : 401, "");
}

// The lock is held.
static enum MHD_Result serve(struct lab_issuer *issuer, struct MHD_Connection *connection,
                             const char *url, const struct body *body)
{
    enum MHD_Result result;
    size_t path = 0;

    while (path < LAB_ISSUER_PATHS && strcmp(url, paths[path]) != 0) {
        path++;
    }
    if (path == LAB_ISSUER_PATHS) {
        return answer_text(connection, 404, "");
    }
    issuer->asked[path]++;
    if (misbehave(connection, issuer->modes[path], url, &result)) {
        return result;
    }
    switch ((enum lab_issuer_path)path) {
    case LAB_ISSUER_TOKEN:
        return give_token(issuer, connection, body);
    case LAB_ISSUER_KEYS:
        return give_keys(issuer, connection);
    case LAB_ISSUER_INTROSPECT:
        return introspect(issuer, connection, body);
    default:
        return serve_protected(issuer, connection);
    }
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_length, void **request)
{
    struct lab_issuer *issuer = arg;
    struct body *body = *request;

    (void)method;
    (void)version;
    if (body == NULL) {
        *request = calloc(1, sizeof *body);
        return *request != NULL ? MHD_YES : MHD_NO;
    }
    if (*upload_length > 0) {
        size_t room = sizeof body->bytes - 1 - body->length;
        size_t taken = *upload_length < room ? *upload_length : room;
        memcpy(body->bytes + body->length, upload, taken);
        body->length += taken;
        *upload_length = 0;
        return MHD_YES;
    }
    pthread_mutex_lock(&issuer->lock);
    enum MHD_Result result = serve(issuer, connection, url, body);
    pthread_mutex_unlock(&issuer->lock);
    return result;
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode code)
{
    (void)arg;
    (void)connection;
    (void)code;
    free(*request);
    *request = NULL;
}

// ---- Life

void lab_issuer_crash(struct lab_issuer *issuer)
{
    if (issuer->daemon != NULL) {
        MHD_stop_daemon(issuer->daemon);
        issuer->daemon = NULL;
    }
}

void lab_issuer_recover(struct lab_issuer *issuer)
{
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons(issuer->port)};
    int on = 1;
    int fd = lab_socket(issuer->node, AF_INET, SOCK_STREAM);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (inet_pton(AF_INET, issuer->address, &local.sin_addr) != 1 ||
        bind(fd, (const struct sockaddr *)&local, sizeof local) != 0 || listen(fd, 128) != 0) {
        lab_fail("issuer: listen on %s port %u in node %s: %s", issuer->address, issuer->port,
                 lab_name(issuer->node), strerror(errno));
    }
    issuer->daemon =
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION, 0, NULL,
                         NULL, on_request, issuer, MHD_OPTION_LISTEN_SOCKET, fd,
                         MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
    if (issuer->daemon == NULL) {
        lab_fail("issuer: start libmicrohttpd: %s", strerror(errno));
    }
}

static void issuer_end(void *arg)
{
    struct lab_issuer *issuer = arg;

    lab_issuer_crash(issuer);
    pthread_mutex_destroy(&issuer->lock);
    json_decref(issuer->key);
    free(issuer->last);
    free(issuer);
}

struct lab_issuer *lab_issuer_start(struct lab_node *node, const char *address, uint16_t port)
{
    struct lab_issuer *issuer = mint_require(calloc(1, sizeof *issuer));

    issuer->node = node;
    issuer->port = port;
    snprintf(issuer->address, sizeof issuer->address, "%s", address);
    pthread_mutex_init(&issuer->lock, NULL);
    lab_issuer_rotate(issuer);
    lab_at_clear(issuer_end, issuer);
    lab_issuer_recover(issuer);
    return issuer;
}

void lab_issuer_set(struct lab_issuer *issuer, enum lab_issuer_path path, enum lab_issuer_mode mode)
{
    pthread_mutex_lock(&issuer->lock);
    issuer->modes[path] = mode;
    pthread_mutex_unlock(&issuer->lock);
}

void lab_issuer_rotate(struct lab_issuer *issuer)
{
    char kid[16];

    pthread_mutex_lock(&issuer->lock);
    snprintf(kid, sizeof kid, "key-%u", ++issuer->rotations);
    json_decref(issuer->key);
    issuer->key = mint_key("ES256", kid);
    pthread_mutex_unlock(&issuer->lock);
}

size_t lab_issuer_asked(struct lab_issuer *issuer, enum lab_issuer_path path)
{
    pthread_mutex_lock(&issuer->lock);
    size_t asked = issuer->asked[path];
    pthread_mutex_unlock(&issuer->lock);
    return asked;
}
