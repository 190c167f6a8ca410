// Clients that keep asking: see dns_load.h. Sockets are made on the main thread, in the node.
#include "tests/lab/dns_load.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define FLOOD_BATCH     64
#define DNSPERF_ARGS    32
#define END_MS          20000  // for the last answers, and the report
#define DNSPERF_BUFFERS "4096" // kB, so that the client's socket loses nothing

static void start_thread(pthread_t *thread, void *(*run)(void *), void *arg)
{
    int error = pthread_create(thread, NULL, run, arg);

    if (error != 0) {
        lab_fail("start a thread: %s", strerror(error));
    }
}

// ---- A stream

struct lab_stream {
    struct lab_stream_options options;
    struct lab_client client;
    pthread_t thread;
    bool running; // of the main thread
    atomic_bool end;
    pthread_mutex_t lock; // of result
    struct lab_stream_result result;
    struct lab_answer answer; // of the thread
    uint8_t message[DNS_MESSAGE_MAX];
    char text[LAB_RDATA_MAX];
};

static void note_said(struct lab_stream_result *result, const char *text)
{
    size_t i = 0;

    while (i < result->said_count && strncmp(result->said[i].text, text, LAB_SAID_TEXT - 1) != 0) {
        i++;
    }
    if (i == LAB_SAID_MAX) {
        result->said_more = true;
        return;
    }
    struct lab_said *said = &result->said[i];
    if (i == result->said_count) {
        result->said_count++;
        snprintf(said->text, sizeof said->text, "%s", text);
        said->first_ns = lab_now_ns();
    }
    said->count++;
    said->last_ns = lab_now_ns();
}

// The next message with this id: an answer that comes too late must not pass for the next one.
static size_t receive(struct lab_stream *stream, uint16_t id)
{
    size_t length;

    do {
        length = lab_client_receive(&stream->client, LAB_DNS_MS, stream->message);
    } while (length >= 2 && (stream->message[0] << 8 | stream->message[1]) != id);
    return length;
}

static const char *what_it_says(struct lab_stream *stream, size_t length)
{
    if (lab_answer_read(stream->message, length, &stream->answer) != NULL) {
        return NULL;
    }
    return stream->answer.rcode != DNS_NOERROR
               ? dns_rcode_text(stream->answer.rcode, stream->text)
               : lab_answer_rdata(&stream->answer, DNS_ANSWER, 0, stream->text);
}

static void ask_once(struct lab_stream *stream, uint16_t id)
{
    uint8_t query[LAB_QUERY_MAX];
    size_t length = lab_query_write(&stream->options.query, id, query);
    size_t got = lab_client_send(&stream->client, query, length) ? receive(stream, id) : 0;
    const char *text = got > 0 ? what_it_says(stream, got) : NULL;

    pthread_mutex_lock(&stream->lock);
    stream->result.asked++;
    stream->result.lost += got == 0;
    stream->result.answered += got != 0;
    stream->result.malformed += got != 0 && text == NULL;
    if (text != NULL) {
        note_said(&stream->result, text);
    }
    pthread_mutex_unlock(&stream->lock);
}

static void *stream_main(void *arg)
{
    struct lab_stream *stream = arg;
    struct timespec pause = {.tv_sec = stream->options.pause_us / 1000000,
                             .tv_nsec = stream->options.pause_us % 1000000 * 1000L};

    for (uint16_t id = 0; !atomic_load(&stream->end); id++) {
        ask_once(stream, id);
        if (stream->options.pause_us > 0) {
            (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
        }
    }
    return NULL;
}

void lab_stream_stop(struct lab_stream *stream)
{
    if (stream->running) {
        atomic_store(&stream->end, true);
        pthread_join(stream->thread, NULL);
        stream->running = false;
    }
}

static void stream_end(void *arg)
{
    struct lab_stream *stream = arg;

    lab_stream_stop(stream);
    lab_client_close(&stream->client);
    pthread_mutex_destroy(&stream->lock);
    free(stream);
}

struct lab_stream *lab_stream_start(const struct lab_stream_options *options)
{
    struct lab_stream *stream = calloc(1, sizeof *stream);

    if (stream == NULL) {
        lab_fail("out of memory");
    }
    stream->options = *options;
    stream->client = lab_client_open(&options->server);
    pthread_mutex_init(&stream->lock, NULL);
    start_thread(&stream->thread, stream_main, stream);
    stream->running = true;
    lab_at_clear(stream_end, stream);
    return stream;
}

void lab_stream_result(struct lab_stream *stream, struct lab_stream_result *out)
{
    pthread_mutex_lock(&stream->lock);
    *out = stream->result;
    pthread_mutex_unlock(&stream->lock);
}

uint64_t lab_stream_answered(struct lab_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    uint64_t answered = stream->result.answered;
    pthread_mutex_unlock(&stream->lock);
    return answered;
}

uint64_t lab_stream_said(struct lab_stream *stream, const char *text)
{
    uint64_t count = 0;

    pthread_mutex_lock(&stream->lock);
    for (size_t i = 0; i < stream->result.said_count; i++) {
        if (strcmp(stream->result.said[i].text, text) == 0) {
            count = stream->result.said[i].count;
        }
    }
    pthread_mutex_unlock(&stream->lock);
    return count;
}

// ---- A flood

struct lab_flood {
    struct lab_client client;
    lab_flood_cb make;
    void *arg;
    pthread_t thread;
    bool running;
    atomic_bool end;
    _Atomic uint64_t sent;
    uint8_t bytes[FLOOD_BATCH][LAB_QUERY_MAX];
};

static void *flood_main(void *arg)
{
    struct lab_flood *flood = arg;
    struct mmsghdr messages[FLOOD_BATCH] = {0};
    struct iovec parts[FLOOD_BATCH];

    for (uint64_t i = 0; !atomic_load(&flood->end);) {
        for (size_t j = 0; j < FLOOD_BATCH; j++, i++) {
            parts[j] = (struct iovec){.iov_base = flood->bytes[j],
                                      .iov_len = flood->make(flood->arg, i, flood->bytes[j])};
            messages[j].msg_hdr.msg_iov = &parts[j];
            messages[j].msg_hdr.msg_iovlen = 1;
        }
        int sent = sendmmsg(flood->client.fd, messages, FLOOD_BATCH, 0);
        atomic_fetch_add(&flood->sent, sent > 0 ? (uint64_t)sent : 0);
    }
    return NULL;
}

void lab_flood_stop(struct lab_flood *flood)
{
    if (flood->running) {
        atomic_store(&flood->end, true);
        pthread_join(flood->thread, NULL);
        flood->running = false;
    }
}

static void flood_end(void *arg)
{
    struct lab_flood *flood = arg;

    lab_flood_stop(flood);
    lab_client_close(&flood->client);
    free(flood);
}

struct lab_flood *lab_flood_start(const struct lab_server *server, lab_flood_cb make, void *arg)
{
    struct lab_flood *flood = calloc(1, sizeof *flood);

    if (flood == NULL) {
        lab_fail("out of memory");
    }
    flood->client = lab_client_open(server);
    flood->make = make;
    flood->arg = arg;
    start_thread(&flood->thread, flood_main, flood);
    flood->running = true;
    lab_at_clear(flood_end, flood);
    return flood;
}

uint64_t lab_flood_sent(struct lab_flood *flood)
{
    return atomic_load(&flood->sent);
}

// ---- Dnsperf

// The queries as dnsperf -B reads them: each with its length ahead, as over TCP. A text file could
// not say class CH.
static void write_queries(const struct lab_dnsperf *options, const char *path)
{
    uint8_t query[LAB_QUERY_MAX];
    FILE *out = fopen(path, "we");

    if (out == NULL) {
        lab_fail("write %s: %s", path, strerror(errno));
    }
    for (size_t i = 0; i < options->query_count; i++) {
        size_t length = lab_query_write(&options->queries[i], (uint16_t)i, query);

        fputc((int)(length >> 8), out);
        fputc((int)(length & 0xff), out);
        fwrite(query, 1, length, out);
    }
    if (fclose(out) != 0) {
        lab_fail("write %s: %s", path, strerror(errno));
    }
}

struct dnsperf_argv {
    char file[LAB_PATH_MAX], numbers[5][16];
    const char *argv[DNSPERF_ARGS];
};

static void dnsperf_argv(const struct lab_dnsperf *options, struct dnsperf_argv *out)
{
    static unsigned runs;
    unsigned values[] = {options->server.port != 0 ? options->server.port : 53, options->seconds,
                         options->clients != 0 ? options->clients : 1,
                         options->outstanding != 0 ? options->outstanding : 100, options->max_qps};
    char name[32];
    size_t count = 0;

    snprintf(name, sizeof name, "dnsperf-%u", ++runs);
    write_queries(options, lab_path(options->server.from, name, out->file));
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        snprintf(out->numbers[i], sizeof out->numbers[i], "%u", values[i]);
    }
    const char *const words[] = {
        "dnsperf", "-B",
        "-O",      "suppress=timeout",
        "-d",      out->file,
        "-s",      options->server.address,
        "-m",      options->server.tcp ? "tcp" : "udp",
        "-b",      DNSPERF_BUFFERS,
        "-p",      out->numbers[0],
        "-l",      out->numbers[1],
        "-c",      out->numbers[2],
        "-q",      out->numbers[3],
    };
    for (; count < sizeof words / sizeof *words; count++) {
        out->argv[count] = words[count];
    }
    if (options->server.source != NULL) {
        out->argv[count++] = "-a";
        out->argv[count++] = options->server.source;
    }
    if (options->max_qps > 0) {
        out->argv[count++] = "-Q";
        out->argv[count++] = out->numbers[4];
    }
    out->argv[count] = NULL;
}

// The number after the words at the beginning of a line.
static double number_of(const char *text, const char *words)
{
    const char *at = strstr(text, words);

    if (at == NULL) {
        lab_fail("read dnsperf's report: it has no \"%s\":\n%s", words, text);
    }
    return strtod(at + strlen(words), NULL);
}

static struct lab_dnsperf_result read_report(const char *text)
{
    return (struct lab_dnsperf_result){
        .qps = number_of(text, "Queries per second:"),
        .latency_ms = 1000 * number_of(text, "Average Latency (s):"),
        .sent = (uint64_t)number_of(text, "Queries sent:"),
        .completed = (uint64_t)number_of(text, "Queries completed:"),
        .lost = (uint64_t)number_of(text, "Queries lost:"),
    };
}

struct lab_dnsperf_result lab_dnsperf(const struct lab_dnsperf *options)
{
    struct dnsperf_argv command;
    char text[8192];

    dnsperf_argv(options, &command);
    int status = lab_run(options->server.from, command.argv, text, sizeof text);
    if (status != 0) {
        lab_fail("run dnsperf against %s: it ended with %d and wrote:\n%s", options->server.address,
                 status, text);
    }
    return read_report(text);
}

struct lab_process *lab_dnsperf_start(const struct lab_dnsperf *options)
{
    struct dnsperf_argv command;

    dnsperf_argv(options, &command);
    return lab_spawn(options->server.from,
                     &(struct lab_command){.name = "dnsperf", .argv = command.argv});
}

struct lab_dnsperf_result lab_dnsperf_end(const struct lab_dnsperf *options,
                                          struct lab_process *process)
{
    char path[LAB_PATH_MAX], text[8192];
    int status = lab_wait_exit(process, options->seconds * 1000 + END_MS);
    FILE *log = fopen(lab_path(options->server.from, "dnsperf.log", path), "re");

    if (status != 0 || log == NULL) {
        lab_fail("run dnsperf against %s: it ended with %d, see its log", options->server.address,
                 status);
    }
    text[fread(text, 1, sizeof text - 1, log)] = '\0';
    fclose(log);
    return read_report(text);
}
