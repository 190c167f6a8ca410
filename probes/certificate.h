// Certificates and OCSP responses, as far as a probe tells of them. Pure.
#pragma once

#include "probes/finding.h"

#include <time.h>

#define PIN_SIZE     32
#define PIN_TEXT_MAX 56

struct x509_st;
struct x509_store_st;
struct stack_st_X509;

// What is kept of a certificate; texts are printable and cut to fit.
struct certificate {
    char subject[96], issuer[96]; // "CN=dns.example.net, O=Example" as RFC 2253 has it
    char names[128];              // DNS names and addresses: "dns.example.net, 192.0.2.53"
    time_t not_before, not_after;
    uint8_t pin[PIN_SIZE]; // SHA-256 of the SubjectPublicKeyInfo (RFC 7469 section 2.4)
    bool self_issued;
};

void certificate_read(struct x509_st *x509, struct certificate *out);

// "sha256//<base64>", as curl and this configuration write a pin; returns out.
const char *pin_text(const uint8_t pin[PIN_SIZE], char out[PIN_TEXT_MAX]);
bool pin_parse(const char *text, uint8_t out[PIN_SIZE]);

// "3 days", "5 hours", "1 minute": seconds in the largest unit that has two or more, or one.
#define SPAN_TEXT_MAX 32
const char *span_text(int64_t seconds, char out[SPAN_TEXT_MAX]);

// "2027-01-02"; returns out.
#define DATE_TEXT_MAX 32
const char *date_text(time_t when, char out[DATE_TEXT_MAX]);

// Judges a stapled OCSP response (RFC 6960) for chain[0], issued by chain[1], at time now. response
// NULL: none came. A pass, or a fail with the code "ocsp" or "revoked".
void ocsp_judge(const uint8_t *response, size_t length, struct stack_st_X509 *chain,
                struct x509_store_st *store, time_t now, struct finding *out);
