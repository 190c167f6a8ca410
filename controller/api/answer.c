// Answers, as libmicrohttpd takes them: a text, or an outcome in words as JSON.
#include "controller/api/inside.h"

#include "base/json_writer.h"

#include <assert.h>
#include <string.h>

void answer_text(struct api_ticket *ticket, unsigned status, char *text, size_t length,
                 const char *type)
{
    static const char no_memory[] = "{\"error\":\"out of memory\"}\n";
    if (text == NULL) {
        status = 500;
        text = strdup(no_memory);
        length = text != NULL ? sizeof no_memory - 1 : 0;
        type = "application/json";
    }
    ticket->stage = STAGE_ANSWERED;
    ticket->status = status;
    ticket->text = text;
    ticket->text_length = length;
    ticket->type = type;
    peer_answered(ticket->peer);
    if (ticket->suspended) {
        ticket->suspended = false;
        MHD_resume_connection(ticket->connection);
        api_wake(ticket->api);
    }
}

static void answer_message(struct api_ticket *ticket, unsigned status, const char *outcome,
                           const char *message)
{
    assert(ticket->stage != STAGE_ANSWERED);
    struct json_writer writer = {0};
    size_t length = 0;
    jw_open(&writer, NULL, '{');
    if (outcome != NULL) {
        jw_string(&writer, "outcome", outcome);
    }
    jw_string(&writer, status < 300 ? "message" : "error", message);
    jw_close(&writer, '}');
    char *text = jw_finish(&writer, &length);
    answer_text(ticket, status, text, length, "application/json");
}

void answer_status(struct api_ticket *ticket, unsigned status, const char *message)
{
    answer_message(ticket, status, NULL, message);
}

void api_answer(struct api_ticket *ticket, enum outcome outcome, const char *message)
{
    static const struct {
        unsigned status;
        const char *word, *message;
    } answers[OUTCOMES] = {
        [OUTCOME_DONE] = {200, "done", "done"},
        [OUTCOME_UNCONFIRMED] = {202, "unconfirmed", "BIRD has not confirmed"},
        [OUTCOME_PARTLY] = {409, "partly", "not done for all services"},
        [OUTCOME_NOTHING] = {200, "nothing", "nothing changed"},
        [OUTCOME_REFUSED] = {409, "refused", "refused by a guard"},
        [OUTCOME_UNSEEN] = {409, "unseen", "BIRD did not answer"},
        [OUTCOME_HINDERED] = {409, "hindered", "another intent stands"},
        [OUTCOME_UNSAFE] = {500, "unsafe", "could not be made safe on disk"},
        [OUTCOME_INVALID] = {422, "invalid", "the configuration can't be used"},
        [OUTCOME_BUSY] = {503, "busy", "too many changes wait already; try again in a moment"},
        [OUTCOME_STOPPING] = {503, "stopping", "popgated is stopping"},
        [OUTCOME_NO_MEMORY] = {500, "no-memory", "out of memory"},
    };
    assert(outcome > OUTCOME_WAITS && outcome < OUTCOMES);
    answer_message(ticket, answers[outcome].status, answers[outcome].word,
                   message != NULL ? message : answers[outcome].message);
}

enum MHD_Result answer_send(struct api_ticket *ticket)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(ticket->text_length, ticket->text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        return MHD_NO;
    }
    ticket->text = NULL;
    MHD_add_response_header(response, "Content-Type", ticket->type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Connection", "close");
    enum MHD_Result result = MHD_queue_response(ticket->connection, ticket->status, response);
    MHD_destroy_response(response);
    return result;
}
