// Where transfers may go, and that they leave nothing behind. What comes over them is tested by the
// probes that use them, against real servers.
#include "tests/unit/probe_fixture.h"

#include "probes/transfer.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

static int check(const char *url, const char *target, char error[ERROR_MAX])
{
    struct endpoint endpoint = {.length = 0};
    char ignored[ERROR_MAX];
    error[0] = '\0';
    if (target != NULL) {
        assert_int_equal(endpoint_parse(target, true, &endpoint, ignored), 0);
    }
    return url_check(url, &endpoint, error);
}

static void assert_refused(const char *url, const char *target, const char *error_part)
{
    char error[ERROR_MAX];
    assert_int_equal(check(url, target, error), -1);
    if (strstr(error, error_part) == NULL) {
        fail_msg("%s", error);
    }
}

TEST(a_transfer_goes_to_an_address)
{
    char error[ERROR_MAX];
    assert_int_equal(check("http://192.0.2.1/", NULL, error), 0);
    assert_int_equal(check("https://192.0.2.1:8443/x?y=z", NULL, error), 0);
    assert_int_equal(check("https://[2001:db8::1]:8443/", NULL, error), 0);
    assert_int_equal(check("https://dns.example.net/", "192.0.2.1:443", error), 0);
    assert_refused("https://dns.example.net/", NULL, "names a host, and a probe asks no resolver");
    assert_refused("http://localhost/", NULL, "names a host");
}

TEST(what_is_no_url_for_a_probe_is_refused)
{
    char longest[URL_MAX + 32] = "http://192.0.2.1/";
    char error[ERROR_MAX];
    assert_refused("", NULL, "is no URL");
    assert_refused("192.0.2.1/health", NULL, "is no URL");
    assert_refused("https://", NULL, "is no URL");
    assert_refused("ftp://192.0.2.1/", NULL, "neither http: nor https:");
    assert_refused("file:///etc/shadow", NULL, "");
    assert_refused("http://me:secret@192.0.2.1/", NULL, "a user or a password");
    assert_refused("http://192.0.2.1:99999/", NULL, "");
    assert_refused("http://d\xc3\xb6h.example/", "192.0.2.1:80", "is not ASCII");
    memset(longest + strlen(longest), 'x', URL_MAX - 1 - strlen(longest));
    assert_int_equal(check(longest, NULL, error), 0);
    longest[strlen(longest)] = 'x';
    assert_refused(longest, NULL, "more than 511 bytes");
}

TEST(a_loop_has_one_hub_which_goes_with_its_last_user)
{
    uv_loop_t loop, other;
    struct curl_loop *first, *second, *third;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(uv_loop_init(&other), 0);
    assert_int_equal(curl_loop_acquire(&loop, &first), 0);
    assert_int_equal(curl_loop_acquire(&loop, &second), 0);
    assert_int_equal(curl_loop_acquire(&other, &third), 0);
    assert_ptr_equal(first, second);
    assert_ptr_not_equal(first, third);
    curl_loop_release(first);
    curl_loop_release(second);
    curl_loop_release(third);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_run(&other, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_equal(uv_loop_close(&other), 0);
}

// ---- Cancelling

static void must_not_be_called(struct transfer *transfer)
{
    (void)transfer;
    fail_msg("a cancelled transfer was done");
}

// A listener whose queue takes connections that nobody accepts.
static int deaf_listener(struct endpoint *out)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    memcpy(&out->address, &address, sizeof address);
    out->length = length;
    return fd;
}

// Runs the loop until a request has come in; returns its connection.
static int run_until_asked(uv_loop_t *loop, int listener)
{
    char byte;
    int peer;
    while ((peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0) {
        uv_run(loop, UV_RUN_NOWAIT);
    }
    while (recv(peer, &byte, 1, MSG_DONTWAIT | MSG_PEEK) <= 0) {
        uv_run(loop, UV_RUN_NOWAIT);
    }
    return peer;
}

TEST(a_cancelled_transfer_is_silent_and_says_what_it_waited_for)
{
    uv_loop_t loop;
    struct endpoint target;
    struct tls_options tls = {.min_version = TLS_1_2};
    struct transfer_request request = {.url = "http://x.example/", .target = &target, .tls = &tls};
    struct transfer transfer = {.on_done = must_not_be_called};
    int fd = deaf_listener(&target);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(curl_loop_acquire(&loop, &transfer.loop), 0);
    transfer_start(&transfer, &request);
    assert_non_null(transfer.job.easy);
    assert_non_null(strstr(transfer_cancel(&transfer).what, "TCP connection to 127.0.0.1:"));
    assert_null(transfer.job.easy);
    // Once more, a little further on its way.
    transfer_start(&transfer, &request);
    int peer = run_until_asked(&loop, fd);
    assert_non_null(
        strstr(transfer_cancel(&transfer).what, "answer to GET http://x.example/ at 127"));
    transfer_close(&transfer);
    curl_loop_release(transfer.loop);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    close(peer);
    close(fd);
}

// ---- What a transfer has of its own

struct secret_request {
    struct transfer_request request;
    struct endpoint target;
    struct tls_options tls;
    const char *headers[1];
    char url[64], method[8], header[32], body[32];
};

static void ask_with_secrets(struct secret_request *out)
{
    *out = (struct secret_request){.target = out->target,
                                   .tls = {.min_version = TLS_1_2},
                                   .url = "http://x.example/a",
                                   .method = "POST",
                                   .header = "Authorization: Bearer abc",
                                   .body = "client_secret=s3cret"};
    out->headers[0] = out->header;
    out->request = (struct transfer_request){.method = out->method,
                                             .url = out->url,
                                             .headers = out->headers,
                                             .header_count = 1,
                                             .body = out->body,
                                             .body_length = strlen(out->body),
                                             .target = &out->target,
                                             .tls = &out->tls,
                                             .redirects = 1}; // so that it waits for the anchors
}

TEST(nothing_of_a_request_is_needed_once_it_has_begun)
{
    uv_loop_t loop;
    struct secret_request asked;
    struct transfer transfer = {.on_done = must_not_be_called};
    char got[1024] = "";
    size_t length = 0;
    int fd = deaf_listener(&asked.target);
    guard_begin();
    ask_with_secrets(&asked);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(curl_loop_acquire(&loop, &transfer.loop), 0);
    transfer_start(&transfer, &asked.request);
    memset(&asked, '?', sizeof asked);
    int peer = run_until_asked(&loop, fd);
    while (strstr(got, "client_secret=s3cret") == NULL) {
        guard_awaits("the request's body");
        uv_run(&loop, UV_RUN_NOWAIT);
        ssize_t more = recv(peer, got + length, sizeof got - 1 - length, MSG_DONTWAIT);
        length += more > 0 ? (size_t)more : 0;
    }
    assert_memory_equal(got, "POST /a HTTP/1.1\r\n", 18);
    assert_non_null(strstr(got, "\r\nAuthorization: Bearer abc\r\n"));
    assert_non_null(
        strstr(transfer_cancel(&transfer).what, "POST http://x.example/a at 127.0.0.1"));
    transfer_close(&transfer);
    curl_loop_release(transfer.loop);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    close(peer);
    close(fd);
}

static bool is_wiped(const char *bytes, size_t length)
{
    return length == 0 || (bytes[0] == '\0' && is_wiped(bytes + 1, length - 1));
}

TEST(what_may_be_secret_in_a_request_is_wiped_when_it_is_over)
{
    uv_loop_t loop;
    struct secret_request asked;
    struct transfer transfer = {.on_done = must_not_be_called};
    int fd = deaf_listener(&asked.target);
    ask_with_secrets(&asked);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(curl_loop_acquire(&loop, &transfer.loop), 0);
    transfer_start(&transfer, &asked.request);
    const char *header = transfer.request->headers[0];
    const char *body = transfer.request->body;
    assert_string_equal(header, asked.header);
    assert_memory_equal(body, asked.body, asked.request.body_length);
    transfer_cancel(&transfer);
    assert_true(is_wiped(header, strlen(asked.header)));
    assert_true(is_wiped(body, asked.request.body_length));
    transfer_close(&transfer);
    curl_loop_release(transfer.loop);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    close(fd);
}

// One that is full: who connects to it waits for ever.
static int full_listener(struct endpoint *out, int *filler)
{
    int fd = deaf_listener(out);
    assert_int_equal(listen(fd, 0), 0);
    *filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(*filler, (struct sockaddr *)&out->address, out->length), 0);
    return fd;
}

static void send_elsewhere(int peer, const char *where)
{
    char answer[128];
    int length =
        snprintf(answer, sizeof answer,
                 "HTTP/1.1 302 Found\r\nLocation: http://%s/\r\nContent-Length: 0\r\n\r\n", where);
    assert_int_equal(send(peer, answer, (size_t)length, MSG_NOSIGNAL), length);
}

TEST(a_redirect_that_leads_to_no_connection_waits_for_one)
{
    uv_loop_t loop;
    struct endpoint target, there;
    struct tls_options tls = {.min_version = TLS_1_2};
    struct transfer_request request = {.url = "http://x.example/", .target = &target, .tls = &tls};
    char head[128], body[64];
    char where[ENDPOINT_TEXT_MAX];
    char expected[ENDPOINT_TEXT_MAX + 32];
    struct transfer transfer = {.on_done = must_not_be_called,
                                .head = {.bytes = head, .size = sizeof head},
                                .body = {.bytes = body, .size = sizeof body}};
    int filler;
    int fd = deaf_listener(&target);
    int full = full_listener(&there, &filler);
    guard_begin();
    request.redirects = 1;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(curl_loop_acquire(&loop, &transfer.loop), 0);
    transfer_start(&transfer, &request);
    int peer = run_until_asked(&loop, fd);
    send_elsewhere(peer, endpoint_text(&there, where));
    while (memcmp(&transfer.address.address, &there.address, there.length) != 0) {
        guard_awaits("the second connection");
        uv_run(&loop, UV_RUN_ONCE);
    }
    snprintf(expected, sizeof expected, "TCP connection to %s", where);
    assert_string_equal(transfer_cancel(&transfer).what, expected);
    transfer_close(&transfer);
    curl_loop_release(transfer.loop);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    close(peer);
    close(filler);
    close(full);
    close(fd);
}

// ---- Trust anchors

static bool store_is_gone;

static void on_store_free(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long number,
                          void *pointer)
{
    (void)parent, (void)data, (void)index, (void)number, (void)pointer;
    store_is_gone |= value != NULL;
}

static void write_anchor(const char *path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *anchor = X509_new();
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(X509_set_pubkey(anchor, key), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(anchor), 0));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(anchor), 3600));
    assert_true(X509_sign(anchor, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_X509(file, anchor), 1);
    assert_int_equal(fclose(file), 0);
    X509_free(anchor);
    EVP_PKEY_free(key);
}

// Runs the loop until they have been read.
static void start_with_anchors(uv_loop_t *loop, struct transfer *transfer,
                               const struct transfer_request *request)
{
    transfer_start(transfer, request);
    while (transfer->store == NULL) {
        uv_run(loop, UV_RUN_ONCE);
    }
}

TEST(a_transfer_keeps_its_anchors_when_the_ca_file_is_replaced_while_it_connects)
{
    uv_loop_t loop;
    struct endpoint target;
    struct tls_options tls = {.ca = "/tmp/popgate-anchors-XXXXXX", .min_version = TLS_1_2};
    struct transfer_request request = {.handshake = true, .target = &target, .tls = &tls};
    struct transfer first = {.on_done = must_not_be_called};
    struct transfer second = first;
    int index = X509_STORE_get_ex_new_index(0, NULL, NULL, NULL, on_store_free);
    int anchors = mkstemp(tls.ca);
    int fd = deaf_listener(&target);
    write_anchor(tls.ca);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(curl_loop_acquire(&loop, &first.loop), 0);
    second.loop = first.loop;
    start_with_anchors(&loop, &first, &request);
    assert_int_equal(X509_STORE_set_ex_data(first.store, index, &store_is_gone), 1);

    assert_int_equal(unlink(tls.ca), 0);
    write_anchor(tls.ca);
    start_with_anchors(&loop, &second, &request);
    assert_ptr_not_equal(second.store, first.store);
    assert_false(store_is_gone);
    transfer_cancel(&first);
    assert_true(store_is_gone);

    transfer_cancel(&second);
    transfer_close(&first);
    transfer_close(&second);
    curl_loop_release(first.loop);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    unlink(tls.ca);
    close(anchors);
    close(fd);
}
