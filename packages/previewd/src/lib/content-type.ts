import mime from 'mime-types'

const EXTENSION = /\.([A-Za-z0-9]{1,12})$/
/** Extensions that no page address ends in: a miss is a missing file, and never the app's own route. */
const ASSET_EXTENSION =
  /\.(?:m?js|cjs|jsx|tsx?|css|s[ac]ss|less|json5?|map|wasm|png|jpe?g|gif|webp|avif|svg|ico|bmp|woff2?|ttf|otf|eot|mp[34]|m4[av]|webm|og[gv]|wav|flac|aac|mov|pdf|txt|xml|csv|zip|gz|br|tar|webmanifest|md|ya?ml|toml|lock|php|aspx?|jsp|cgi|sql|bak|ini|log|sh)$/i

/** Value of Content-Type for a file, with its charset where it is text. */
export function contentTypeOf(path: string): string {
  const extension = EXTENSION.exec(path)?.[1]
  return (extension !== undefined && mime.contentType(`x.${extension}`)) || 'application/octet-stream'
}

export function isHtml(path: string): boolean {
  return path.endsWith('.html') || path.endsWith('.htm')
}

export function looksLikeAsset(path: string): boolean {
  return ASSET_EXTENSION.test(path)
}

/** True for text that is worth a compressed variant: what Vary has to name Accept-Encoding for. */
export function isCompressible(path: string): boolean {
  const type = contentTypeOf(path)
  return /^text\/|[/+](?:json|xml|javascript)\b|^application\/(?:wasm|manifest)|^font\/(?:ttf|otf)|^image\/(?:bmp|x-icon|vnd\.microsoft\.icon)/.test(
    type,
  )
}
