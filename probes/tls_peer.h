// The other end of a TLS connection: what a probe wants of it, what it shows in the handshake, and
// what is to be made of that.
//
// tls_peer_attach() sits inside OpenSSL's handshake and only writes down what it sees; verification
// itself is OpenSSL's and is never loosened. The judgements read what is written down.
#pragma once

#include "probes/certificate.h"
#include "probes/conf.h"
#include "probes/finding.h"
#include "probes/tls_bounds.h"

#define TLS_PINS_MAX 4
#define TLS_ALPN_MAX 64 // bytes of the list on the wire (RFC 7301 section 3.1)

enum tls_version { TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3 };
enum tls_ocsp { TLS_OCSP_OFF, TLS_OCSP_REQUIRE };

// What every probe over TLS can ask for; see TLS_KEYS.
struct tls_options {
    char ca[KEY_TEXT_MAX]; // a PEM file; empty: the system's
    int min_version;       // enum tls_version
    uint64_t min_days, fail_days;
    struct tls_pins {
        size_t count; // 0: any key
        uint8_t digest[TLS_PINS_MAX][PIN_SIZE];
    } pins;
    int ocsp; // enum tls_ocsp
    // PEM files of the certificate that is shown to a server which asks for one, and of its key;
    // both empty: none is.
    char client_cert[KEY_TEXT_MAX], client_key[KEY_TEXT_MAX];
};

struct tls_alpn {
    size_t length; // 0: not asked for
    uint8_t wire[TLS_ALPN_MAX];
};

extern const char *const tls_version_words[];
extern const char *const tls_ocsp_words[];
int tls_parse_pin(const char *value, void *field, char error[ERROR_MAX]);
int tls_parse_alpn(const char *value, void *field, char error[ERROR_MAX]);

#define TLS_FIELD(type, member, field)                                                             \
    (offsetof(type, member) + offsetof(struct tls_options, field))

// The rows of a type's key table for the struct tls_options called member in its options.
#define TLS_KEYS(type, member)                                                                     \
    {.name = "ca",                                                                                 \
     .kind = KEY_STRING,                                                                           \
     .offset = TLS_FIELD(type, member, ca),                                                        \
     .size = KEY_TEXT_MAX},                                                                        \
        {.name = "min_version",                                                                    \
         .kind = KEY_CHOICE,                                                                       \
         .offset = TLS_FIELD(type, member, min_version),                                           \
         .choices = tls_version_words,                                                             \
         .fallback = "1.2"},                                                                       \
        {.name = "min_days",                                                                       \
         .kind = KEY_UINT,                                                                         \
         .offset = TLS_FIELD(type, member, min_days),                                              \
         .max = 3650,                                                                              \
         .fallback = "0"},                                                                         \
        {.name = "fail_days",                                                                      \
         .kind = KEY_UINT,                                                                         \
         .offset = TLS_FIELD(type, member, fail_days),                                             \
         .max = 3650,                                                                              \
         .fallback = "0"},                                                                         \
        {.name = "pin",                                                                            \
         .kind = KEY_CUSTOM,                                                                       \
         .offset = TLS_FIELD(type, member, pins),                                                  \
         .parse = tls_parse_pin,                                                                   \
         .list = true},                                                                            \
        {.name = "client_cert",                                                                    \
         .kind = KEY_STRING,                                                                       \
         .offset = TLS_FIELD(type, member, client_cert),                                           \
         .size = KEY_TEXT_MAX},                                                                    \
        {.name = "client_key",                                                                     \
         .kind = KEY_STRING,                                                                       \
         .offset = TLS_FIELD(type, member, client_key),                                            \
         .size = KEY_TEXT_MAX},                                                                    \
    {                                                                                              \
        .name = "ocsp", .kind = KEY_CHOICE, .offset = TLS_FIELD(type, member, ocsp),               \
        .choices = tls_ocsp_words, .fallback = "off"                                               \
    }

// As struct probe_type's check. encrypted: is there TLS at all?
void tls_options_check(const struct tls_options *options, bool encrypted,
                       const struct probe_problems *problems);

// What a handshake showed. The owner sets the first five; tls_peer_attach() clears the rest.
struct tls_peer {
    const struct tls_options *options;
    const struct tls_alpn *alpn; // may be NULL
    const char *name;            // host name or address that the certificate must be for
    void *owner;
    void (*on_finished)(void *owner); // may be NULL; from within OpenSSL

    bool started, finished;
    bool verified;               // the chain and the name are good
    int verify_error;            // X509_V_ERR_...; 0: none
    int verify_depth;            // of the certificate it is about; 0: the server's own
    int sent;                    // how many certificates the server sent
    unsigned messages;           // of TLS itself that came; too many cut the connection
    unsigned hellos;             // of these, a handshake's beginning; likewise
    bool asked;                  // the server asked for our certificate
    bool spoke;                  // a session ticket or data: the handshake is over for it too
    char costly[TLS_COSTLY_MAX]; // what of the server's was too large to compute with; "": nothing
    int alert;                   // the server's fatal alert (RFC 8446 section 6); -1: none
    struct certificate leaf;     // subject "" until seen
    struct certificate wrong;
    struct certificate first; // of the finished handshake's chain, that ends before the leaf; or ""
    char version[24], cipher[64], protocol[32]; // of the finished handshake; protocol: ALPN's
    struct finding ocsp;                        // of the finished handshake, if asked for
};

static inline bool tls_peer_in_handshake(const struct tls_peer *peer)
{
    return peer->started && !peer->finished;
}

// Of those that were verified, the one that ends first.
static inline const struct certificate *tls_peer_first(const struct tls_peer *peer)
{
    return peer->first.subject[0] ? &peer->first : &peer->leaf;
}

// TLS 1.3 lets a client finish before the server has looked at the client's certificate (RFC 8446
// section 4.4.2): is its word still to come?
bool tls_peer_owes_word(const struct tls_peer *peer);

// Did the server end it because of our certificate, or the want of one?
bool tls_peer_refused_us(const struct tls_peer *peer);

// What to add to an answer that is a refusal: whether the server asked for our certificate, and
// which it was shown. "" if it did not.
#define TLS_SHOWN_MAX 192
const char *tls_peer_shown_text(const struct tls_peer *peer, char out[TLS_SHOWN_MAX]);

struct ssl_ctx_st;
struct x509_store_st;
struct client_cert;

// Makes the next handshake of ctx verify against store, show own (NULL: nothing) to a server that
// asks, and write into peer, which must outlive ctx. False when out of memory.
bool tls_peer_attach(struct tls_peer *peer, struct ssl_ctx_st *ctx, struct x509_store_st *store,
                     const struct client_cert *own);

// After a finished handshake, at time now: is it all that the options want? A pass says what was
// negotiated: "TLSv1.3 TLS_AES_256_GCM_SHA384, expires 2027-01-02 (41 days), issuer CN=...".
void tls_peer_judge(const struct tls_peer *peer, time_t now, struct finding *out);

// Why the handshake failed; error is the TLS library's own text. A fail, but for
// want of memory.
void tls_peer_explain(const struct tls_peer *peer, const char *error, time_t now,
                      struct finding *out);
