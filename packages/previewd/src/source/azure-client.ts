import { AnonymousCredential, BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob'
import type { AzureSettings } from '../config.ts'
import { PreviewdError } from '../errors.ts'

/** Attempts are ours to make, see retry.ts; a redirect would lead where the operator did not point. */
const PIPELINE = { retryOptions: { maxTries: 1 }, redirectOptions: { maxRetries: 0 } }

/**
 * The client for what the operator set: a connection string, or an account with a key, a SAS, or else with the
 * identity of the machine. Nothing is asked of Azure yet. Rejects with SOURCE_DENIED where that is no credential.
 */
export async function createAzureClient(settings: AzureSettings): Promise<BlobServiceClient> {
  const { connectionString, key, sas } = settings
  if (connectionString !== undefined) return fromConnectionString(connectionString)
  const address = addressOf(settings)
  if (key !== undefined && settings.account !== undefined) {
    return new BlobServiceClient(address, new StorageSharedKeyCredential(settings.account, key), PIPELINE)
  }
  if (sas !== undefined) {
    return new BlobServiceClient(`${address}?${sas.replace(/^\?/, '')}`, new AnonymousCredential(), PIPELINE)
  }
  const { DefaultAzureCredential } = await import('@azure/identity')
  return new BlobServiceClient(address, new DefaultAzureCredential(), PIPELINE)
}

function fromConnectionString(connectionString: string): BlobServiceClient {
  try {
    return BlobServiceClient.fromConnectionString(connectionString, PIPELINE)
  } catch {
    // What the SDK says may repeat the text, and the key is in it.
    throw new PreviewdError(
      'SOURCE_DENIED',
      'PREVIEWD_AZURE_CONNECTION_STRING is not a connection string of a storage account.',
    )
  }
}

function addressOf({ account, endpoint }: AzureSettings): string {
  return endpoint?.replace(/\/$/, '') ?? `https://${account}.blob.core.windows.net`
}
