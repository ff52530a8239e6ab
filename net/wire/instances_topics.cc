// The one place where the messages named here are compiled.
#include "net/wire/create_partitions.h"
#include "net/wire/create_topics.h"
#include "net/wire/delete_topics.h"
#include "net/wire/describe_topic_partitions.h"
#include "net/wire/message_codec.h"
#include "net/wire/metadata.h"

namespace millrace::wire {

MILLRACE_WIRE_INSTANTIATE(CreatePartitionsRequest);
MILLRACE_WIRE_INSTANTIATE(CreatePartitionsResponse);
MILLRACE_WIRE_INSTANTIATE(CreateTopicsRequest);
MILLRACE_WIRE_INSTANTIATE(CreateTopicsResponse);
MILLRACE_WIRE_INSTANTIATE(DeleteTopicsRequest);
MILLRACE_WIRE_INSTANTIATE(DeleteTopicsResponse);
MILLRACE_WIRE_INSTANTIATE(DescribeTopicPartitionsRequest);
MILLRACE_WIRE_INSTANTIATE(DescribeTopicPartitionsResponse);
MILLRACE_WIRE_INSTANTIATE(MetadataRequest);
MILLRACE_WIRE_INSTANTIATE(MetadataResponse);

}  // namespace millrace::wire
