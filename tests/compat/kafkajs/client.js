// client.js BOOTSTRAP PREFIX: uses a broker as a program on kafkajs does.
//
// kafkajs reads only as a member of a group. What is about records fetches through its broker class: the
// same requests and the same parser, without a group; what is about groups uses its consumer. Prints `ok NAME` or `FAILED NAME: why` lines.
'use strict'

const { Kafka, CompressionTypes, CompressionCodecs, logLevel } = require('kafkajs')
const SnappyCodec = require('kafkajs-snappy')
const lz4 = require('lz4js')
const xxh32 = require('lz4js/xxh32.js')
const zstd = require('@bokuweb/zstd-wasm')

const [bootstrap, prefix] = process.argv.slice(2)
const MESSAGES = 120
const FIRST_TIMESTAMP = Date.now() - 3600000
const STEP_MS = 1000
const CHECK_TIMEOUT_MS = 30000
const bytesCodec = (compress, decompress) => () => ({
  compress: async encoder => Buffer.from(compress(encoder.buffer)),
  decompress: async buffer => Buffer.from(decompress(buffer)),
})

// Apache Kafka takes only frames that say their blocks are independent. lz4js does not say so, though the
// one block that these messages fill is; this sets the bit and the header's check byte.
const lz4Frame = buffer => {
  const frame = Buffer.from(lz4.compress(buffer))
  const blockIndependent = 0x20
  frame[4] |= blockIndependent
  frame[6] = (xxh32.hash(0, frame, 4, 2) >> 8) & 0xff
  return frame
}

CompressionCodecs[CompressionTypes.Snappy] = SnappyCodec
CompressionCodecs[CompressionTypes.LZ4] = bytesCodec(lz4Frame, b => lz4.decompress(b))
CompressionCodecs[CompressionTypes.ZSTD] = bytesCodec(b => zstd.compress(b, 3), b => zstd.decompress(b))

const kafka = new Kafka({
  clientId: 'compat',
  brokers: [bootstrap],
  logLevel: logLevel.NOTHING,
  requestTimeout: 10000,
  connectionTimeout: 5000,
  retry: { retries: 4, initialRetryTime: 100 },
})
const createCluster = kafka[
  Object.getOwnPropertySymbols(kafka).find(symbol => symbol.description === 'private:Kafka:createCluster')
]
const topicName = name => `${prefix}-${name}`
let failed = false

const check = async (name, body) => {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('took too long')), CHECK_TIMEOUT_MS)
  })
  try {
    await Promise.race([body(), late])
    console.log(`ok ${name}`)
  } catch (error) {
    failed = true
    console.log(`FAILED ${name}: ${error.name} ${error.message}`.replace(/\n/g, ' '))
  } finally {
    clearTimeout(timer)
  }
}

const same = (got, wanted, what) => {
  const [left, right] = [JSON.stringify(got), JSON.stringify(wanted)]
  if (left !== right) throw new Error(`${what}: got ${left}, wanted ${right}`)
}

const message = (label, index) => ({
  key: index % 4 === 0 ? null : `k${index}`,
  value: `${label}-${index}-${'z'.repeat(index % 60)}`,
  headers: { note: `h${index}` },
  timestamp: String(FIRST_TIMESTAMP + index * STEP_MS),
})

const produce = async (label, { acks, compression, idempotent }) => {
  const producer = kafka.producer({ idempotent: Boolean(idempotent), maxInFlightRequests: 1 })
  await producer.connect()
  try {
    for (let start = 0; start < MESSAGES; start += 40) {
      const messages = []
      for (let i = start; i < start + 40; ++i) messages.push({ partition: 0, ...message(label, i) })
      const answers = await producer.send({ topic: topicName(label), acks, compression, messages })
      if (acks !== 0) same(answers[0].baseOffset, String(start), 'base offset')
    }
  } finally {
    await producer.disconnect()
  }
}

// Reads partition 0 from `offset` until `wanted` messages have come.
const read = async (topic, offset, wanted) => {
  const cluster = createCluster({ isolationLevel: 1 })
  await cluster.connect()
  try {
    await cluster.addTargetTopic(topic)
    const leader = Object.keys(cluster.findLeaderForPartitions(topic, [0]))[0]
    const broker = await cluster.findBroker({ nodeId: leader })
    const messages = []
    for (let round = 0; messages.length < wanted && round < 50; ++round) {
      const answer = await broker.fetch({
        replicaId: -1,
        isolationLevel: 1,
        maxWaitTime: 200,
        minBytes: 1,
        maxBytes: 1048576,
        topics: [{ topic, partitions: [{ partition: 0, fetchOffset: String(offset), maxBytes: 1048576 }] }],
      })
      const part = answer.responses[0].partitions[0]
      same(part.errorCode, 0, 'error code')
      for (const got of part.messages) {
        if (Number(got.offset) === offset) {
          messages.push(got)
          offset += 1
        }
      }
    }
    return messages
  } finally {
    await cluster.disconnect()
  }
}

const compare = (messages, label, first) => {
  same(messages.length, MESSAGES - first, 'messages')
  messages.forEach((got, place) => {
    const index = first + place
    const wanted = message(label, index)
    same(got.offset, String(index), 'offset')
    same(got.key && got.key.toString(), wanted.key, `key of ${index}`)
    same(got.value.toString(), wanted.value, `value of ${index}`)
    same(got.timestamp, wanted.timestamp, `timestamp of ${index}`)
    same(got.headers.note.toString(), wanted.headers.note, `header of ${index}`)
  })
}

const refused = async (type, body) => {
  try {
    await body()
  } catch (error) {
    const found = error.type || (error.errors && error.errors[0] && error.errors[0].type) || error.message
    same(found, type, 'error')
    return
  }
  throw new Error(`no error, wanted ${type}`)
}

const checkTopics = async admin => {
  const topic = topicName('topics')
  await check('create_topic', async () => {
    same(await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 2 }] }), true, 'created')
  })
  await check('create_topic_again_is_refused', async () => {
    same(await admin.createTopics({ topics: [{ topic, numPartitions: 2 }] }), false, 'created')
  })
  await check('invalid_topic_name_is_refused', () =>
    refused('INVALID_TOPIC_EXCEPTION', () => admin.createTopics({ topics: [{ topic: 'a b' }] })))
  await check('create_partitions', async () => {
    await admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] })
    const found = await admin.fetchTopicMetadata({ topics: [topic] })
    same(found.topics[0].partitions.length, 4, 'partitions')
  })
  await check('list_topics', async () => same((await admin.listTopics()).includes(topic), true, 'listed'))
  await check('describe_cluster', async () => same((await admin.describeCluster()).brokers.length, 1, 'brokers'))
  await check('alter_and_describe_configs', async () => {
    const resource = { type: 2, name: topic }
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value: '98765' }] }],
    })
    const found = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ ...resource, configNames: ['retention.ms'] }],
    })
    same(found.resources[0].configEntries[0].configValue, '98765', 'retention.ms')
  })
  await check('delete_topic', async () => {
    await admin.deleteTopics({ topics: [topic] })
    same((await admin.listTopics()).includes(topic), false, 'listed')
  })
}

const checkProduceAndConsume = async admin => {
  const cases = { acks_1: { acks: 1 }, acks_0: { acks: 0 }, idempotent: { acks: -1, idempotent: true } }
  for (const [name, compression] of Object.entries(CompressionTypes)) {
    cases[`all_${name.toLowerCase()}`] = { acks: -1, compression }
  }
  for (const [label, settings] of Object.entries(cases)) {
    await check(`produce_${label}`, async () => {
      await admin.createTopics({ waitForLeaders: true, topics: [{ topic: topicName(label), numPartitions: 1 }] })
      await produce(label, settings)
    })
    await check(`consume_${label}`, async () => compare(await read(topicName(label), 0, MESSAGES), label, 0))
  }
}

const checkOffsets = async admin => {
  const label = 'all_gzip'
  const topic = topicName(label)
  await check('consume_from_offset', async () => compare(await read(topic, 77, MESSAGES - 77), label, 77))
  await check('consume_from_timestamp', async () => {
    const found = await admin.fetchTopicOffsetsByTimestamp(topic, FIRST_TIMESTAMP + 33 * STEP_MS)
    same(found[0].offset, '33', 'offset')
    compare(await read(topic, 33, MESSAGES - 33), label, 33)
  })
  await check('topic_offsets', async () => {
    const [found] = await admin.fetchTopicOffsets(topic)
    same([found.low, found.high], ['0', String(MESSAGES)], 'offsets')
  })
  await check('delete_records', async () => {
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '20' }] })
    const [found] = await admin.fetchTopicOffsets(topic)
    same(found.low, '20', 'low')
    compare(await read(topic, 20, MESSAGES - 20), label, 20)
  })
}

// Values that `members` consumers of a group read together, until `wanted` have come; they commit as they go.
const readAsGroup = async (topic, groupId, members, wanted) => {
  const values = []
  let done
  const enough = new Promise(resolve => { done = resolve })
  const consumers = []
  try {
    for (let i = 0; i < members; ++i) {
      const consumer = kafka.consumer({ groupId, sessionTimeout: 10000, heartbeatInterval: 500 })
      consumers.push(consumer)
      await consumer.connect()
      await consumer.subscribe({ topic, fromBeginning: true })
      await consumer.run({
        eachMessage: async ({ partition, message: got }) => {
          values.push(`${partition}-${got.offset}`)
          if (values.length >= wanted) done()
        },
      })
    }
    await enough
  } finally {
    for (const consumer of consumers) await consumer.disconnect()
  }
  return values
}

// Two members halve the partitions; when one leaves, the other is given all of them.
const checkSharing = async admin => {
  const topic = topicName('shared')
  const groupId = topicName('sharers')
  await admin.createTopics({ topics: [{ topic, numPartitions: 4 }] })
  const owned = [[], []]
  const members = owned.map((_, i) => {
    const consumer = kafka.consumer({ groupId, sessionTimeout: 10000, heartbeatInterval: 300 })
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => { owned[i] = payload.memberAssignment[topic] || [] })
    return consumer
  })
  const until = async (what, done) => {
    for (let i = 0; i < 400 && !done(); ++i) await new Promise(resolve => setTimeout(resolve, 50))
    if (!done()) throw new Error(`waited too long: ${what}; ${JSON.stringify(owned)}`)
  }
  const start = async consumer => {
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({ eachMessage: async () => {} })
  }
  try {
    await check('group_members_share', async () => {
      await start(members[0])
      await until('the first has all', () => owned[0].length === 4)
      await start(members[1])
      await until('both have two', () => owned[0].length === 2 && owned[1].length === 2)
      same([...owned[0], ...owned[1]].sort(), [0, 1, 2, 3], 'partitions of both')
    })
    await check('group_member_takes_over', async () => {
      await members[1].disconnect()
      await until('the first has all again', () => owned[0].length === 4)
    })
  } finally {
    for (const consumer of members) await consumer.disconnect()
  }
}

const checkGroups = async admin => {
  const topic = topicName('group')
  const groupId = topicName('members')
  await admin.createTopics({ topics: [{ topic, numPartitions: 2 }] })
  const producer = kafka.producer()
  await producer.connect()
  const send = async () => {
    const messages = []
    for (let i = 0; i < 40; ++i) messages.push({ partition: i % 2, value: `v${i}` })
    await producer.send({ topic, messages })
  }
  const expected = from => {
    const all = []
    for (const partition of [0, 1]) for (let i = from; i < from + 20; ++i) all.push(`${partition}-${i}`)
    return all.sort()
  }
  await send()
  await check('group_reads_everything', async () => {
    same([...new Set(await readAsGroup(topic, groupId, 1, 40))].sort(), expected(0), 'records')
  })
  await send()
  await check('group_goes_on_where_it_stopped', async () => {
    same([...new Set(await readAsGroup(topic, groupId, 1, 40))].sort(), expected(20), 'records')
  })
  await check('group_offsets_are_fetched_and_set', async () => {
    const [before] = await admin.fetchOffsets({ groupId, topics: [topic] })
    same(before.partitions.map(part => part.offset), ['40', '40'], 'offsets')
    await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '5' }] })
    const [after] = await admin.fetchOffsets({ groupId, topics: [topic] })
    same(after.partitions.find(part => part.partition === 0).offset, '5', 'offset')
  })
  await check('group_is_described_and_deleted', async () => {
    const { groups } = await admin.describeGroups([groupId])
    same([groups[0].state, groups[0].members.length], ['Empty', 0], 'group')
    same((await admin.listGroups()).groups.some(group => group.groupId === groupId), true, 'listed')
    await admin.deleteGroups([groupId])
    same((await admin.listGroups()).groups.some(group => group.groupId === groupId), false, 'listed')
  })
  await producer.disconnect()
}

const main = async () => {
  await zstd.init()
  const admin = kafka.admin()
  await admin.connect()
  await checkTopics(admin)
  await checkProduceAndConsume(admin)
  await checkOffsets(admin)
  await checkGroups(admin)
  await checkSharing(admin)
  await admin.disconnect()
}

main()
  .catch(error => {
    failed = true
    console.log(`FAILED client: ${error.message}`)
  })
  .finally(() => process.exit(failed ? 1 : 0))
