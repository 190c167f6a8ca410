#include "controller/cli/client.h"

#include "controller/cli/lines.h"
#include "controller/cli/reading.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)256 << 20)
#define READ_S     20L
#define CHANGE_S   60L // the guard asks BIRD, the ledger is synced

static size_t take_bytes(char *bytes, size_t one, size_t count, void *arg)
{
    struct answer *answer = arg;
    (void)one;
    if (answer->length + count > ANSWER_MAX) {
        return 0;
    }
    char *text = realloc(answer->text, answer->length + count + 1);
    if (text == NULL) {
        return 0;
    }
    memcpy(text + answer->length, bytes, count);
    answer->text = text;
    answer->length += count;
    answer->text[answer->length] = '\0';
    return count;
}

void answer_clear(struct answer *answer)
{
    free(answer->text);
    json_decref(answer->json);
    *answer = (struct answer){0};
}

// It is not known how far the request came.
static bool may_be_done(CURLcode code, const char *body)
{
    return body != NULL && code != CURLE_COULDNT_CONNECT;
}

static enum exit_status unreachable(const char *path, CURLcode code, CURL *curl)
{
    long number = 0;
    curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &number);
    if (code == CURLE_COULDNT_CONNECT && access(path, F_OK) != 0) {
        show_error("can't reach popgated at %s: no such file (is popgated running? "
                   "systemctl status popgated)",
                   path);
    } else if (code == CURLE_COULDNT_CONNECT && access(path, W_OK) != 0) {
        show_error("can't reach popgated at %s: permission denied", path);
    } else if (code == CURLE_COULDNT_CONNECT) {
        show_error("can't reach popgated at %s: %s (is popgated running? systemctl status "
                   "popgated)",
                   path, number != 0 ? strerror((int)number) : "nobody listens");
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        show_error("popgated at %s does not answer in time", path);
    } else {
        show_error("no answer from popgated at %s: %s", path, curl_easy_strerror(code));
    }
    return EXIT_NO_DAEMON;
}

enum exit_status client_ask(const char *socket_path, const char *path, const char *body,
                            struct answer *answer)
{
    return client_ask_within(socket_path, path, body, body != NULL ? CHANGE_S : READ_S, answer);
}

enum exit_status client_ask_within(const char *socket_path, const char *path, const char *body,
                                   long seconds, struct answer *answer)
{
    char url[512];
    *answer = (struct answer){0};
    CURL *curl = curl_easy_init();
    if (curl == NULL) {
        show_error("can't start libcurl");
        return EXIT_FAILED;
    }
    snprintf(url, sizeof url, "http://popgate%s", path);
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket_path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, seconds);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    if (body != NULL) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    }
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    enum exit_status result = EXIT_DONE;
    if (code != CURLE_OK) {
        result = unreachable(socket_path, code, curl);
        if (may_be_done(code, body)) {
            show_error("whether it was done all the same is not known: look at popgate status");
        }
    } else if (answer->text != NULL) {
        answer->json = json_loadb(answer->text, answer->length, 0, NULL);
    }
    curl_easy_cleanup(curl);
    return result;
}

enum exit_status client_judge(const struct answer *answer)
{
    const char *error = words(answer->json, "error");
    if (answer->status == 200 && answer->json != NULL) {
        return EXIT_DONE;
    }
    if (answer->status == 202 && answer->json != NULL) {
        show_error("%s", words(answer->json, "message"));
        return EXIT_TIMED_OUT;
    }
    if (error[0] != '\0') {
        show_error("%s", error);
    } else {
        show_error("popgated's answer makes no sense (HTTP status %ld)", answer->status);
    }
    return answer->status == 400 ? EXIT_USAGE : answer->status == 409 ? EXIT_REFUSED : EXIT_FAILED;
}

enum exit_status client_get(const char *socket_path, const char *path, struct answer *answer)
{
    enum exit_status result = client_ask(socket_path, path, NULL, answer);
    return result == EXIT_DONE ? client_judge(answer) : result;
}

bool client_is_there(const char *socket_path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path);
    bool there = fd >= 0 && (size_t)length < sizeof address.sun_path &&
                 connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return there;
}
