// Makes keys, key sets and tokens, good and bad, for whoever tests what becomes of them.
//
// Whoever calls owns what is returned: json_decref() for keys, free() for texts.
#pragma once

#include <jansson.h>
#include <jose/b64.h>
#include <jose/jwk.h>
#include <jose/jws.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void *mint_require(void *made)
{
    if (made == NULL) {
        fprintf(stderr, "mint: out of memory, or asked for the impossible\n");
        abort();
    }
    return made;
}

static inline json_t *mint_eddsa_key(void)
{
    unsigned char private[32];
    unsigned char public[32];
    size_t length = 32;
    EVP_PKEY *made = mint_require(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
    EVP_PKEY_get_raw_private_key(made, private, &length);
    EVP_PKEY_get_raw_public_key(made, public, &length);
    EVP_PKEY_free(made);
    return mint_require(json_pack("{s:s,s:s,s:o,s:o}", "kty", "OKP", "crv", "Ed25519", "x",
                                  jose_b64_enc(public, 32), "d", jose_b64_enc(private, 32)));
}

// A private key for a JOSE algorithm (HS256 too), with a kid unless that is NULL.
static inline json_t *mint_key(const char *alg, const char *kid)
{
    json_t *key = NULL;
    if (strcmp(alg, "EdDSA") == 0) {
        key = mint_eddsa_key();
    } else {
        key = mint_require(json_pack("{s:s}", "alg", alg));
        mint_require(jose_jwk_gen(NULL, key) ? key : NULL);
    }
    json_object_set_new(key, "alg", json_string(alg));
    json_object_set_new(key, "use", json_string("sig"));
    json_object_del(key, "key_ops");
    if (kid != NULL) {
        json_object_set_new(key, "kid", json_string(kid));
    }
    return key;
}

// Its public half, as it stands in a key set.
static inline json_t *mint_public(const json_t *key)
{
    static const char *const secrets[] = {"d", "p", "q", "dp", "dq", "qi", "k"};
    json_t *public = mint_require(json_deep_copy(key));
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        json_object_del(public, secrets[i]);
    }
    return public;
}

// The key set with the public halves of up to two keys (the second may be NULL).
static inline char *mint_key_set(const json_t *first, const json_t *second)
{
    json_t *set = mint_require(json_pack("{s:[o]}", "keys", mint_public(first)));
    if (second != NULL) {
        json_array_append_new(json_object_get(set, "keys"), mint_public(second));
    }
    char *text = mint_require(json_dumps(set, JSON_COMPACT));
    json_decref(set);
    return text;
}

// header.payload.signature of any text; the signature is given as it is to stand there.
static inline char *mint_join(const char *header, const char *payload, const char *signature)
{
    json_t *first = mint_require(jose_b64_enc(header, strlen(header)));
    json_t *second = mint_require(jose_b64_enc(payload, strlen(payload)));
    size_t size = json_string_length(first) + json_string_length(second) + strlen(signature) + 3;
    char *joined = mint_require(malloc(size));
    snprintf(joined, size, "%s.%s.%s", json_string_value(first), json_string_value(second),
             signature);
    json_decref(first);
    json_decref(second);
    return joined;
}

static inline json_t *mint_eddsa_signature(const json_t *key, const char *text, size_t length)
{
    unsigned char private[32];
    unsigned char signature[64];
    size_t signature_length = sizeof signature;
    jose_b64_dec(json_object_get(key, "d"), private, sizeof private);
    EVP_PKEY *made =
        mint_require(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, private, 32));
    EVP_MD_CTX *context = mint_require(EVP_MD_CTX_new());
    EVP_DigestSignInit(context, NULL, NULL, NULL, made);
    EVP_DigestSign(context, signature, &signature_length, (const unsigned char *)text, length);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(made);
    return jose_b64_enc(signature, sizeof signature);
}

// A signature by the key over header and payload, whatever the header says of its alg.
static inline json_t *mint_signature(const json_t *key, const char *header, const char *payload)
{
    const char *alg = json_string_value(json_object_get(key, "alg"));
    char *token = mint_join(header, payload, "");
    if (strcmp(alg, "EdDSA") == 0) {
        json_t *signature = mint_eddsa_signature(key, token, strlen(token) - 1);
        free(token);
        return signature;
    }
    char *dot = strchr(token, '.');
    json_t *jws = mint_require(json_pack("{s:s}", "payload", ""));
    json_object_set_new(jws, "payload", json_stringn(dot + 1, strlen(dot + 1) - 1));
    json_t *part =
        mint_require(json_pack("{s:o}", "protected", json_stringn(token, (size_t)(dot - token))));
    mint_require(jose_jws_sig(NULL, jws, part, key) ? jws : NULL);
    json_t *signature = mint_require(json_incref(json_object_get(jws, "signature")));
    json_decref(part);
    json_decref(jws);
    free(token);
    return signature;
}

// A token of header and payload, signed by the key.
static inline char *mint_signed(const json_t *key, const char *header, const char *payload)
{
    json_t *signature = mint_signature(key, header, payload);
    char *token = mint_join(header, payload, json_string_value(signature));
    json_decref(signature);
    return token;
}

// The same with the header that belongs to the key.
static inline char *mint_token(const json_t *key, const char *payload)
{
    const char *kid = json_string_value(json_object_get(key, "kid"));
    json_t *made =
        mint_require(json_pack("{s:s,s:s,s:s*}", "typ", "JWT", "alg",
                               json_string_value(json_object_get(key, "alg")), "kid", kid));
    char *header = mint_require(json_dumps(made, JSON_COMPACT));
    char *token = mint_signed(key, header, payload);
    free(header);
    json_decref(made);
    return token;
}

// A symmetric key made of a public one: what an attacker signs with who hopes that the verifier
// takes the public key for an HMAC secret.
static inline json_t *mint_confused_key(const json_t *key)
{
    char *text = mint_key_set(key, NULL);
    json_t *made = mint_require(json_pack("{s:s,s:s,s:o,s:s*}", "kty", "oct", "alg", "HS256", "k",
                                          jose_b64_enc(text, strlen(text)), "kid",
                                          json_string_value(json_object_get(key, "kid"))));
    free(text);
    return made;
}
