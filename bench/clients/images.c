// images PORT SECONDS CONNECTIONS
//
// Push small images, no two alike, on several keep-alive connections. An image has a configuration and three layers of
// 4 KiB, each pushed by POST and PUT, and a manifest that is pushed by tag; images go to eight repositories in turn.
// Prints images a second.
#define _GNU_SOURCE
#include "http.h"

#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OCI "application/vnd.oci.image."

enum { MAX_CONNECTIONS = 256, LAYERS = 3, LAYER_BYTES = 4096, REPOSITORIES = 8, DIGEST_BYTES = 72 };

struct pusher {
    int number;
    int connection;
    unsigned seed;
    long pushed;
    struct answer answer;
};

static int port;
static double deadline;
static struct pusher pushers[MAX_CONNECTIONS];

// Send a request in one piece; anything but the expected status ends the program.
static void request(struct pusher *self, const char *method, const char *path, const char *type, const void *body,
                    size_t length, int expected) {
    char buffer[8192 + LAYER_BYTES];
    size_t head = write_head(buffer, sizeof buffer - LAYER_BYTES, method, path, port, type, length);
    if (length > LAYER_BYTES)
        fail("a body of %zu bytes", length);
    if (length)
        memcpy(buffer + head, body, length);
    if (send_all(self->connection, buffer, head + length, 0) || read_answer(self->connection, &self->answer))
        fail("the server closed the connection");
    if (self->answer.status != expected)
        fail("%s %s was answered:\n%.1000s", method, path, self->answer.head);
}

static void push_blob(struct pusher *self, const char *repository, const void *data, size_t length, char *digest) {
    unsigned char hash[SHA256_DIGEST_LENGTH];
    SHA256(data, length, hash);
    int end = sprintf(digest, "sha256:");
    for (int i = 0; i < SHA256_DIGEST_LENGTH; i++)
        end += sprintf(digest + end, "%02x", hash[i]);

    char path[4096];
    snprintf(path, sizeof path, "/v2/%s/blobs/uploads/", repository);
    request(self, "POST", path, "application/octet-stream", NULL, 0, 202);
    location(&self->answer, path, sizeof path);
    add_digest(path, sizeof path, digest);
    request(self, "PUT", path, "application/octet-stream", data, length, 201);
}

static void push_manifest(struct pusher *self, const char *repository, const char *config, int config_length,
                          char layers[LAYERS][DIGEST_BYTES]) {
    char manifest[LAYER_BYTES], path[256];
    int length = sprintf(manifest,
                         "{\"schemaVersion\":2,\"mediaType\":\"" OCI "manifest.v1+json\",\"config\":{\"mediaType\":\"" OCI
                         "config.v1+json\",\"digest\":\"%s\",\"size\":%d},\"layers\":[",
                         config, config_length);
    for (int i = 0; i < LAYERS; i++)
        length += sprintf(manifest + length,
                          "%s{\"mediaType\":\"" OCI "layer.v1.tar+gzip\",\"digest\":\"%s\",\"size\":%d}", i ? "," : "",
                          layers[i], LAYER_BYTES);
    length += sprintf(manifest + length, "]}");
    snprintf(path, sizeof path, "/v2/%s/manifests/t%d-%ld", repository, self->number, self->pushed);
    request(self, "PUT", path, OCI "manifest.v1+json", manifest, length, 201);
}

static void push_image(struct pusher *self) {
    char repository[64], config[512], config_digest[DIGEST_BYTES], layers[LAYERS][DIGEST_BYTES];
    snprintf(repository, sizeof repository, "bench/r%ld", (self->number + self->pushed) % REPOSITORIES);
    for (int i = 0; i < LAYERS; i++) {
        int data[LAYER_BYTES / sizeof(int)];
        for (size_t j = 0; j < LAYER_BYTES / sizeof(int); j++)
            data[j] = rand_r(&self->seed);
        push_blob(self, repository, data, LAYER_BYTES, layers[i]);
    }
    int length = snprintf(config, sizeof config,
                          "{\"architecture\":\"amd64\",\"os\":\"linux\",\"n\":\"%d-%ld-%u\",\"rootfs\":{\"type\":"
                          "\"layers\",\"diff_ids\":[]}}",
                          self->number, self->pushed, self->seed);
    push_blob(self, repository, config, length, config_digest);
    push_manifest(self, repository, config_digest, length, layers);
}

static void *push_images(void *argument) {
    struct pusher *self = argument;
    self->connection = dial(port);
    for (; now() < deadline; self->pushed++)
        push_image(self);
    close(self->connection);
    return NULL;
}

int main(int count, char **arguments) {
    if (count != 4)
        fail("usage: images PORT SECONDS CONNECTIONS");
    port = positive(arguments[1]);
    double start = now();
    deadline = start + positive(arguments[2]);
    long connections = positive(arguments[3]);
    if (connections > MAX_CONNECTIONS)
        fail("at most %d connections", MAX_CONNECTIONS);

    pthread_t threads[MAX_CONNECTIONS];
    for (long i = 0; i < connections; i++) {
        pushers[i].number = i;
        pushers[i].seed = i * 7919 + (unsigned)time(NULL) + (unsigned)getpid() * 65537;
        if (pthread_create(&threads[i], NULL, push_images, &pushers[i]))
            fail("cannot start a thread");
    }
    long total = 0;
    for (long i = 0; i < connections; i++) {
        pthread_join(threads[i], NULL);
        total += pushers[i].pushed;
    }
    printf("%.3f\n", total / (now() - start));
    return 0;
}
