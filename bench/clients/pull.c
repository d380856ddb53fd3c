// pull PORT PATH CONNECTIONS SECONDS
//
// GET a path again and again on several keep-alive connections. The body is discarded in the kernel, so that the
// client costs little. Prints gigabytes (10^9) a second.
#define _GNU_SOURCE
#include "http.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 256 };

static int port;
static const char *path;
static double deadline;
static long long received[MAX_CONNECTIONS];

static void *pull(void *argument) {
    long long *total = argument;
    static __thread struct answer answer;
    char request[4096];
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", path, port);
    if (length < 0 || (size_t)length >= sizeof request)
        fail("a path that is too long");
    int connection = dial(port);
    while (now() < deadline) {
        if (send_all(connection, request, length, 0) || read_answer(connection, &answer))
            fail("the server closed the connection");
        if (answer.status != 200)
            fail("GET was answered:\n%.1000s", answer.head);
        *total += answer.length;
    }
    close(connection);
    return NULL;
}

int main(int count, char **arguments) {
    if (count != 5)
        fail("usage: pull PORT PATH CONNECTIONS SECONDS");
    port = positive(arguments[1]);
    path = arguments[2];
    long connections = positive(arguments[3]);
    if (connections > MAX_CONNECTIONS)
        fail("at most %d connections", MAX_CONNECTIONS);
    double start = now();
    deadline = start + positive(arguments[4]);

    pthread_t threads[MAX_CONNECTIONS];
    for (long i = 0; i < connections; i++)
        if (pthread_create(&threads[i], NULL, pull, &received[i]))
            fail("cannot start a thread");
    long long total = 0;
    for (long i = 0; i < connections; i++) {
        pthread_join(threads[i], NULL);
        total += received[i];
    }
    printf("%.4f\n", total / (now() - start) / 1e9);
    return 0;
}
