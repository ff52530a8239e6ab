// The one place where the messages named here are compiled.
#include "net/wire/delete_records.h"
#include "net/wire/describe_producers.h"
#include "net/wire/fetch.h"
#include "net/wire/init_producer_id.h"
#include "net/wire/list_offsets.h"
#include "net/wire/message_codec.h"
#include "net/wire/offset_for_leader_epoch.h"
#include "net/wire/produce.h"

namespace millrace::wire {

MILLRACE_WIRE_INSTANTIATE(DeleteRecordsRequest);
MILLRACE_WIRE_INSTANTIATE(DeleteRecordsResponse);
MILLRACE_WIRE_INSTANTIATE(DescribeProducersRequest);
MILLRACE_WIRE_INSTANTIATE(DescribeProducersResponse);
MILLRACE_WIRE_INSTANTIATE(FetchRequest);
MILLRACE_WIRE_INSTANTIATE(FetchResponse);
MILLRACE_WIRE_INSTANTIATE(InitProducerIdRequest);
MILLRACE_WIRE_INSTANTIATE(InitProducerIdResponse);
MILLRACE_WIRE_INSTANTIATE(ListOffsetsRequest);
MILLRACE_WIRE_INSTANTIATE(ListOffsetsResponse);
MILLRACE_WIRE_INSTANTIATE(OffsetForLeaderEpochRequest);
MILLRACE_WIRE_INSTANTIATE(OffsetForLeaderEpochResponse);
MILLRACE_WIRE_INSTANTIATE(ProduceRequest);
MILLRACE_WIRE_INSTANTIATE(ProduceResponse);

}  // namespace millrace::wire
