// push PORT REPOSITORY FILE DIGEST [FILE DIGEST ...]
//
// Upload files at the same time, each on a connection of its own: POST, then PUT with the whole file by sendfile.
// Prints gigabytes (10^9) a second, from the first POST to the last answer.
#define _GNU_SOURCE
#include "http.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILES = 64 };

struct upload {
    const char *file;
    const char *digest;
    off_t size;
};

static int port;
static const char *repository;
static struct upload uploads[MAX_FILES];

static void ask(int connection, const char *head, size_t length, int expected, struct answer *answer) {
    if (length && send_all(connection, head, length, 0))
        fail("the server closed the connection");
    if (read_answer(connection, answer))
        fail("the server closed the connection without an answer");
    if (answer->status != expected)
        fail("expected %d:\n%.1000s", expected, answer->head);
}

static void send_file(int connection, const struct upload *upload) {
    int file = open(upload->file, O_RDONLY);
    if (file < 0)
        fail("cannot open %s: %m", upload->file);
    for (off_t sent = 0; sent < upload->size;)
        if (sendfile(connection, file, &sent, upload->size - sent) <= 0)
            fail("sendfile: %m");
    close(file);
}

static void *push(void *argument) {
    const struct upload *upload = argument;
    static __thread struct answer answer;
    char path[4096], head[8192];
    int connection = dial(port);

    snprintf(path, sizeof path, "/v2/%s/blobs/uploads/", repository);
    size_t length = write_head(head, sizeof head, "POST", path, port, "application/octet-stream", 0);
    ask(connection, head, length, 202, &answer);

    location(&answer, path, sizeof path);
    add_digest(path, sizeof path, upload->digest);
    length = write_head(head, sizeof head, "PUT", path, port, "application/octet-stream", upload->size);
    if (send_all(connection, head, length, 1))
        fail("the server closed the connection");
    send_file(connection, upload);
    ask(connection, NULL, 0, 201, &answer);
    close(connection);
    return NULL;
}

int main(int count, char **arguments) {
    int files = (count - 3) / 2;
    if (files < 1 || files > MAX_FILES || count % 2 == 0)
        fail("usage: push PORT REPOSITORY FILE DIGEST [FILE DIGEST ...]");
    port = positive(arguments[1]);
    repository = arguments[2];
    long long total = 0;
    for (int i = 0; i < files; i++) {
        struct stat status;
        uploads[i].file = arguments[3 + 2 * i];
        uploads[i].digest = arguments[4 + 2 * i];
        if (stat(uploads[i].file, &status))
            fail("no file %s: %m", uploads[i].file);
        uploads[i].size = status.st_size;
        total += status.st_size;
    }

    pthread_t threads[MAX_FILES];
    double start = now();
    for (int i = 0; i < files; i++)
        if (pthread_create(&threads[i], NULL, push, &uploads[i]))
            fail("cannot start a thread");
    for (int i = 0; i < files; i++)
        pthread_join(threads[i], NULL);
    printf("%.4f\n", total / (now() - start) / 1e9);
    return 0;
}
