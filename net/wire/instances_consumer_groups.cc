// The one place where the messages named here are compiled.
#include "net/wire/consumer_group_describe.h"
#include "net/wire/consumer_group_heartbeat.h"
#include "net/wire/message_codec.h"
#include "net/wire/offset_commit.h"
#include "net/wire/offset_delete.h"
#include "net/wire/offset_fetch.h"

namespace millrace::wire {

MILLRACE_WIRE_INSTANTIATE(ConsumerGroupDescribeRequest);
MILLRACE_WIRE_INSTANTIATE(ConsumerGroupDescribeResponse);
MILLRACE_WIRE_INSTANTIATE(ConsumerGroupHeartbeatRequest);
MILLRACE_WIRE_INSTANTIATE(ConsumerGroupHeartbeatResponse);
MILLRACE_WIRE_INSTANTIATE(OffsetCommitRequest);
MILLRACE_WIRE_INSTANTIATE(OffsetCommitResponse);
MILLRACE_WIRE_INSTANTIATE(OffsetDeleteRequest);
MILLRACE_WIRE_INSTANTIATE(OffsetDeleteResponse);
MILLRACE_WIRE_INSTANTIATE(OffsetFetchRequest);
MILLRACE_WIRE_INSTANTIATE(OffsetFetchResponse);

}  // namespace millrace::wire
