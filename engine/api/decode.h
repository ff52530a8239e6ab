// DECODE(name, Type): binds the decoded body of `request` to `name`, or ends the handler by closing the connection, which is
// what Kafka does with a request it cannot read.
#pragma once

#include "engine/api/request.h"

#define DECODE(name, Type)                                                                 \
  auto MILLRACE_JOIN(name, _decoded) =                                                     \
      wire::decode<Type>(request.body, request.header.api_version);                        \
  if (!MILLRACE_JOIN(name, _decoded)) [[unlikely]]                                         \
    co_return close_connection(request, MILLRACE_JOIN(name, _decoded).error().message);    \
  auto& name = *MILLRACE_JOIN(name, _decoded)
